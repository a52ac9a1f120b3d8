// The part of the form for the search space: one group of fields for each parameter, by its type.

import { field } from "./form_fields.js";

const FIELDS = {
  float: ["low", "high", "log", "step"],
  int: ["low", "high", "log", "step"],
  categorical: ["choices"],
};
const LOOKS = {
  low: { kind: "scalar" },
  high: { kind: "scalar" },
  step: { kind: "scalar", placeholder: "none", help: "Only values this far apart" },
  log: { kind: "bool", help: "Even on a logarithmic scale: for what spans decades" },
  choices: { kind: "list", wide: true, placeholder: "a, b, c" },
};
const WHEN = { kind: "when", placeholder: "always", help: "Only where another parameter has one of these values, as in optimizer: sgd, adam" };
const COUNT = { kind: "scalar", help: "How many values the grid takes of it" };

/** What a parameter may be searched over, as a first guess. @param {any} known the catalogue's, if it is a trainer's */
export function guess(known) {
  if (!known) return { type: "float", low: 0, high: 1 };
  if (known.type === "categorical") return { type: "categorical", choices: known.choices };
  if (known.type === "bool") return { type: "categorical", choices: [true, false] };
  const usual = Number(known.default) || 0.1;
  const whole = known.type === "int";
  const low = Math.max(whole ? 1 : 0, known.low ?? -Infinity, usual / 10);
  const high = Math.min(known.high ?? Infinity, usual * 10);
  const [from, to] = whole ? [Math.floor(low), Math.ceil(Math.max(high, low + 1))] : [low, Math.max(high, low)];
  return { type: known.type, low: from, high: to, ...(from > 0 && to / from >= 50 ? { log: true } : {}) };
}

/** The same parameter as another type, with what it can keep. @param {any} before @param {string} type */
function retyped(before, type) {
  const when = before.when ? { when: before.when } : {};
  if (type === "categorical") return { type, choices: before.choices ?? [before.low, before.high].filter((one) => one !== undefined), ...when };
  const numbers = (before.choices ?? [before.low, before.high]).filter((one) => typeof one === "number");
  const [low, high] = numbers.length ? [Math.min(...numbers), Math.max(...numbers)] : [0, 1];
  const kept = type === "int" ? { low: Math.round(low), high: Math.round(high) } : { low, high };
  return { type, ...kept, ...(before.log ? { log: true } : {}), ...when };
}

/**
 * @param {HTMLElement} root
 * @param {(changes: {path: string[], value?: unknown, remove?: boolean, key?: string}[]) => void} edit
 */
export function createParameters(root, edit) {
  /** @type {Map<string, {row: HTMLElement, shape: string, show: (one: any, document: any) => void}>} */
  let rows = new Map();

  function make(name, type, isCounted) {
    const path = ["space", name];
    let now = {};
    const row = document.createElement("div");
    row.className = "parameter";
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", `parameter ${name}`);
    const put = (key) => (value) => edit([{ path: [...path, key], value, remove: value === undefined }]);
    const called = field([...path, ""], "name", {}, () => {});
    called.input.addEventListener("change", () => {
      const key = called.input.value.trim();
      if (key && key !== name) edit([{ path, key }]);
      else called.show(name);
    });
    const typed = field([...path, "type"], "type", { choices: Object.keys(FIELDS) }, (value) => edit([{ path, value: retyped(now, String(value)) }]));
    const given = (FIELDS[type] ?? []).map((key) => ({ key, made: field([...path, key], key, LOOKS[key], put(key)) }));
    given.push({ key: "when", made: field([...path, "when"], "when", WHEN, put("when")) });
    const counted = field(["sampler", "counts", name], "grid values", COUNT, (value) => edit([{ path: ["sampler", "counts", name], value, remove: value === undefined }]));
    const remove = document.createElement("button");
    Object.assign(remove, { type: "button", className: "btn", textContent: "Remove" });
    remove.setAttribute("aria-label", `Remove ${name}`);
    remove.addEventListener("click", () => edit([{ path, remove: true }, ...(isCounted ? [{ path: ["sampler", "counts", name], remove: true }] : [])]));
    const whole = document.createElement("div");
    whole.dataset.pointer = typed.root.dataset.pointer.replace(/\/type$/, "");
    whole.className = "wrong-words";
    row.append(called.root, typed.root, ...given.map((one) => one.made.root), ...(isCounted ? [counted.root] : []), remove, whole);
    return {
      row,
      /** @param {any} one @param {any} document */
      show(one, document) {
        now = one ?? {};
        called.show(name);
        typed.show(now.type);
        for (const { key, made } of given) made.show(now[key] ?? undefined);
        counted.show(document.sampler?.counts?.[name]);
      },
    };
  }

  return {
    /** @param {any} document what the text says */
    show(document) {
      const space = Object.entries(document.space ?? {}).filter(([, one]) => one && typeof one === "object");
      const isGrid = document.sampler?.name === "grid";
      const next = new Map();
      for (const [name, one] of space) {
        const isCounted = isGrid && (one.type === "float" || one.type === "int") && one.step === undefined;
        const shape = `${one.type} ${isCounted}`;
        const known = rows.get(name);
        next.set(name, known?.shape === shape ? known : { ...make(name, one.type, isCounted), shape });
      }
      const wanted = [...next.values()].map(({ row }) => row);
      if (wanted.length !== root.childElementCount || wanted.some((row, i) => root.children[i] !== row)) root.replaceChildren(...wanted);
      rows = next;
      for (const [name, one] of space) rows.get(name).show(one, document);
    },
  };
}
