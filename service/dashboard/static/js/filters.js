// Which trials are shown: states and conditions, chosen in a menu, seen as chips that a click removes, kept in the address.

import { recallAll, rememberAll } from "./address.js";
import { call } from "./api.js";

const RELATIONS = [["<=", "≤"], [">=", "≥"], ["<", "<"], [">", ">"], ["=", "="]];

/**
 * @param {HTMLElement} root holds the form and the place for chips
 * @param {{base: string, metric: string|null, failed: (error: unknown) => void}} study
 * @param {() => void} changed called after each change
 */
export function createFilters(root, study, changed) {
  const form = root.querySelector("[data-menu=filters] form");
  const chips = root.querySelector(".chips");
  const [range, choices, wrong] = ["range", "choices", "wrong"].map((one) => form.querySelector(`[data-${one}]`));
  const boxes = [...form.querySelectorAll("input[name=state]")];
  let where = recallAll("where");
  /** @type {Set<number>|null} */
  let picked = null;
  let alone = false;
  /** @type {Promise<Record<string, any>>|null} */
  let space = null;

  const known = recallAll("state");
  for (const box of boxes) box.checked = known.includes(box.value);
  const states = () => boxes.filter((one) => one.checked).map((one) => one.value);

  function keep() {
    rememberAll("state", states());
    rememberAll("where", where);
    draw();
    changed();
  }

  function draw() {
    const made = [
      ...boxes.filter((one) => one.checked).map((box) => chip(box.value, () => (box.checked = false))),
      ...where.map((one) => chip(inWords(one), () => (where = where.filter((other) => other !== one)))),
    ];
    if (picked !== null && alone) made.push(chip(`the ${picked.size} picked alone`, () => (alone = false), "show all"));
    if (picked !== null && !alone) made.push(chip(`${picked.size} picked`, () => (alone = true), "show them alone"));
    chips.replaceChildren(...made);
    chips.hidden = made.length === 0;
  }

  function chip(words, act, does = "✕") {
    const made = document.createElement("button");
    const mark = document.createElement("span");
    [made.type, made.className, mark.textContent] = ["button", "chip", does];
    if (does === "✕") made.ariaLabel = `Remove the filter ${words}`;
    made.append(words, mark);
    made.addEventListener("click", () => {
      act();
      keep();
    });
    return made;
  }

  /** @param {string} condition as the API spells it @returns {string} */
  function inWords(condition) {
    const told = condition.replace(/^params\./, "").replace(/^value(?=[<>=])/, study.metric ?? "value").replace(/^duration(?=[<>=])/, "seconds");
    const [sign, words] = RELATIONS.find(([one]) => told.includes(one)) ?? ["", ""];
    const list = told.match(/^(.*?)=(\[.*\])$/);
    if (list) return `${list[1]} is ${list[2].slice(1, -1).replaceAll('"', "").replaceAll(", ", " or ")}`;
    return sign ? told.replace(sign, ` ${words} `) : told;
  }

  const field = () => form.elements.of.value;

  async function offer() {
    wrong.hidden = true;
    space ??= call("GET", study.base).then((found) => found.spec.space);
    const found = (await space)[field().replace(/^params\./, "")];
    const isChoice = field().startsWith("params.") && found?.type === "categorical";
    [range.hidden, choices.hidden] = [isChoice, !isChoice];
    choices.replaceChildren(...(isChoice ? found.choices.map(choiceBox) : []));
  }

  function choiceBox(value) {
    const [label, box] = ["label", "input"].map((tag) => document.createElement(tag));
    Object.assign(box, { type: "checkbox", name: "choice", value: JSON.stringify(value) });
    label.append(box, ` ${typeof value === "string" ? value : JSON.stringify(value)}`);
    return label;
  }

  /** @returns {[string, string][]} what was chosen, as conditions in two parts; throws an Error in words */
  function conditions() {
    const name = field();
    if (range.hidden) {
      const chosen = [...choices.querySelectorAll("input:checked")].map((one) => one.value);
      if (!chosen.length) throw new Error("Choose one or more.");
      return [[`${name}=`, `[${chosen.join(", ")}]`]];
    }
    const ends = [[">=", form.elements.from.value.trim()], ["<=", form.elements.to.value.trim()]].filter(([, end]) => end);
    if (!ends.length) throw new Error("Give a number from or to which.");
    if (ends.some(([, end]) => !Number.isFinite(Number(end)))) throw new Error("These must be numbers.");
    return ends.map(([sign, end]) => [`${name}${sign}`, end]);
  }

  form.addEventListener("change", ({ target }) => {
    if (target.name === "of") offer().catch(study.failed);
    if (target.name === "state") keep();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      const made = conditions();
      where = [...where.filter((one) => !made.some(([start]) => one.startsWith(start))), ...made.map((one) => one.join(""))];
      wrong.hidden = true;
      form.elements.from.value = form.elements.to.value = "";
      keep();
    } catch (error) {
      [wrong.textContent, wrong.hidden] = [error.message, false];
    }
  });
  for (const menu of root.querySelectorAll("details.menu")) wireMenu(menu);
  form.closest("details").addEventListener("toggle", () => offer().catch(study.failed));
  draw();

  return {
    /** @param {URLSearchParams} query gets what is asked of the API @param {number} most numbers that it takes */
    ask(query, most) {
      for (const state of states()) query.append("state", state);
      for (const one of where) query.append("where", one);
      if (picked !== null && alone) query.set("numbers", [...picked].slice(0, most).join(","));
      return query;
    },
    isAny: () => states().length + where.length > 0 || (picked !== null && alone),
    /** @param {Set<number>|null} numbers the trials picked out in a chart */
    pick(numbers) {
      const wasAlone = picked !== null && alone;
      picked = numbers;
      if (numbers === null) alone = false;
      draw();
      if (wasAlone) changed();
    },
  };
}

/** A menu closes by Escape and by a click beside it. @param {HTMLDetailsElement} menu */
function wireMenu(menu) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", ({ target }) => {
    if (menu.open && target instanceof Node && target.isConnected && !menu.contains(target)) menu.open = false;
  });
}
