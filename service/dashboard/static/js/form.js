// A study as a form: fields that show what the text says, and tell what is to be changed in it.

import { call } from "./api.js";
import { field } from "./form_fields.js";
import { createParameters, guess } from "./form_parameters.js";

/** @typedef {{path: string[], value?: unknown, remove?: boolean, key?: string}} Change */
/** @typedef {import("./form_fields.js").Option} Option */
/**
 * @typedef {{sampler: Record<string, Option[]>, pruner: Record<string, Option[]>, early_stopping: Option[],
 *   budget: Option[], trial: Option[]}} Options
 */

/**
 * @param {HTMLFormElement} root @param {Options} options the options of each part
 * @param {(changes: Change[]) => void} edit told what somebody changed
 */
export function createForm(root, options, edit) {
  /** @type {any} what the text says */
  let document_ = {};
  /** @type {{trainers: any[], datasets: any[]}} */
  let catalogue = { trainers: [], datasets: [] };
  /** @type {(() => void)[]} each shows a part of the document */
  const shows = [];
  const part = (name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
  const at = (path) => path.reduce((value, key) => (value && typeof value === "object" ? value[key] : undefined), document_);
  const put = (path) => (value) => edit([{ path, value, remove: value === undefined || value === "" }]);
  const trainer = () => catalogue.trainers.find((one) => one.name === at(["objective", "trainer"]));

  function add(place, path, label, look, changed = put(path)) {
    const made = field(path, label, look, changed);
    part(place).append(made.root);
    shows.push(() => made.show(at(path)));
    return made;
  }

  /** The fields of a part by its options. @param {string} name @param {Option[]} found */
  function fields(name, found) {
    return found.map((one) => {
      const path = [name, one.name];
      const kind = one.kind === "bool" ? "bool" : "scalar";
      const range = [one.low ?? "", one.high ?? ""].join(" to ");
      const help = [one.help, one.low === null && one.high === null ? "" : `from ${range}`].filter(Boolean).join("; ");
      return { path, made: field(path, one.name, { kind, help, placeholder: one.default === null ? "none" : String(one.default) }, put(path)) };
    });
  }

  /** A part whose options depend on its name. @param {"sampler"|"pruner"} name @param {string} usual */
  function named(name, usual) {
    const choices = Object.keys(options[name]);
    const chosen = field([name, "name"], "name", { choices }, (value) => {
      const kept = Object.entries(at([name]) ?? {}).filter(([key]) => options[name][String(value)].some((one) => one.name === key));
      edit([{ path: [name], value: { name: value, ...Object.fromEntries(kept) } }]);
    });
    let shape = "";
    let made = [];
    shows.push(() => {
      const now = at([name, "name"]) ?? usual;
      if (now !== shape) {
        shape = now;
        made = fields(name, options[name][now] ?? []);
        part(name).replaceChildren(chosen.root, ...made.map((one) => one.made.root));
      }
      chosen.show(now);
      for (const one of made) one.made.show(at(one.path));
    });
  }

  /** @param {"early_stopping"|"budget"|"trial"} name */
  function plain(name) {
    const made = fields(name, options[name]);
    part(name).append(...made.map((one) => one.made.root));
    shows.push(() => made.forEach((one) => one.made.show(at(one.path))));
  }

  function fixed() {
    /** @type {Map<string, ReturnType<typeof field>>} */
    let made = new Map();
    shows.push(() => {
      const values = Object.entries(at(["objective", "fixed"]) ?? {});
      made = new Map(values.map(([name]) => [name, made.get(name) ?? one(name)]));
      const wanted = [...made.values()].map((each) => each.root);
      if (wanted.length !== part("fixed").childElementCount || wanted.some((each, i) => part("fixed").children[i] !== each)) part("fixed").replaceChildren(...wanted);
      for (const [name, value] of values) made.get(name).show(value);
    });
    function one(name) {
      const help = `${trainer()?.parameters[name]?.help ?? ""} Empty: as it is by default.`.trim();
      return field(["objective", "fixed", name], name, { kind: "scalar", help }, put(["objective", "fixed", name]));
    }
  }

  /** A menu that adds a parameter to the space or to the fixed values. */
  function adding(name, path, first, valueOf) {
    const select = /** @type {HTMLSelectElement} */ (root.elements.namedItem(name));
    let offered = "";
    shows.push(() => {
      const taken = { ...at(["space"]), ...at(["objective", "fixed"]) };
      const names = Object.keys(trainer()?.parameters ?? {}).filter((one) => !(one in taken));
      if (names.join(" ") === offered && select.options.length) return;
      offered = names.join(" ");
      select.replaceChildren(new Option("choose…", ""), ...names.map((one) => new Option(one, one)), ...(first ? [new Option("one of another name", "*")] : []));
    });
    select.addEventListener("change", () => {
      let key = select.value;
      select.value = "";
      if (!key) return;
      if (key === "*") for (let i = 1; key === "*" || key in (at(path) ?? {}); i += 1) key = `parameter_${i}`;
      edit([{ path: [...path, key], value: valueOf(trainer()?.parameters[key]) }]);
    });
  }

  add("head", ["name"], "name", { wide: true });
  add("head", ["title"], "title", { wide: true, placeholder: "none" });
  const trainers = add("objective", ["objective", "trainer"], "trainer", { choices: [] });
  const data = add("objective", ["objective", "data"], "data set", { choices: [] });
  const metric = add("objective", ["objective", "metric"], "metric", { choices: [] });
  add("objective", ["objective", "direction"], "direction", { choices: ["", "minimize", "maximize"], help: "Without one, the metric's own" });
  const parameters = createParameters(part("space"), edit);
  shows.push(() => parameters.show(document_));
  adding("add-parameter", ["space"], true, guess);
  fixed();
  adding("add-fixed", ["objective", "fixed"], false, (known) => known?.default ?? 0);
  named("sampler", "random");
  named("pruner", "none");
  for (const name of /** @type {const} */ (["early_stopping", "budget", "trial"])) plain(name);
  root.addEventListener("submit", (event) => event.preventDefault());

  function offer() {
    const known = trainer();
    const set = catalogue.datasets.find((one) => one.name === at(["objective", "data"]));
    trainers.offer([...catalogue.trainers.map((one) => one.name), "external"]);
    data.offer(["", ...catalogue.datasets.filter((one) => !known || (known.tasks.includes(one.task) && known.forms.includes(one.form))).map((one) => one.name)]);
    metric.offer(["", ...(known?.metrics ?? []).filter((one) => !set || one.tasks.includes(set.task)).map((one) => one.name)]);
  }

  function show() {
    offer();
    for (const one of shows) one();
  }

  Promise.all([call("GET", "/api/v1/trainers"), call("GET", "/api/v1/datasets")]).then(([known, sets]) => {
    catalogue = { trainers: known.items, datasets: sets.items };
    show();
  }, () => {}); // the menus then offer what the text says alone

  return {
    /** @param {unknown} found what the text says */
    show(found) {
      document_ = found && typeof found === "object" && !Array.isArray(found) ? found : {};
      show();
    },
    /** Say at each field what is wrong with it. @param {{pointer: string, message: string}[]} mistakes */
    mark(mistakes) {
      for (const one of root.querySelectorAll("[data-pointer]")) {
        const pointer = /** @type {HTMLElement} */ (one).dataset.pointer;
        const hits = mistakes.filter((each) => each.pointer === pointer || each.pointer.startsWith(`${pointer}/`) && !inner(pointer, each.pointer));
        const words = one.querySelector(".wrong-words") ?? one;
        words.textContent = hits.map((each) => each.message).join("; ");
        one.querySelector(".input")?.setAttribute("aria-invalid", String(hits.length > 0));
      }
      function inner(pointer, wanted) {
        const deeper = [...root.querySelectorAll("[data-pointer]")].map((each) => /** @type {HTMLElement} */ (each).dataset.pointer);
        return deeper.some((each) => each.length > pointer.length && (wanted === each || wanted.startsWith(`${each}/`)));
      }
    },
  };
}
