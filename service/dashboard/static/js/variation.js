// A trial once more: with the same parameters, or with others in a form that begins with these; and its end by hand.

import { call } from "./api.js";
import { failed } from "./parts.js";

/**
 * @param {HTMLElement} root holds, as JSON, the study's space and the trial's parameters
 * @param {{name: string, number: number, changed: () => void}} trial `changed`: it is to be read anew
 */
export function createVariation(root, { name, number, changed }) {
  const [space, params] = [JSON.parse(root.dataset.space), JSON.parse(root.dataset.params)];
  const [dialog, really, queued] = ["variation", "really", "queued"].map((id) => document.getElementById(id));
  const form = dialog.querySelector("form");
  const wrong = form.querySelector("[data-wrong]");
  const base = `/api/v1/studies/${encodeURIComponent(name)}/trials`;
  const fields = new Map(Object.entries(space).map(([key, one]) => [key, field(key, one, params[key])]));
  form.querySelector(".vary-fields").append(...[...fields.values()].map((one) => one.label));

  const acts = {
    again: () => enqueue(params).catch(failed),
    vary: () => {
      show();
      dialog.showModal();
    },
    cancel: () => really.showModal(),
  };
  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("#trial-actions button") : null;
    if (button) acts[button.name]();
  });
  really.addEventListener("close", () => {
    if (really.returnValue === "cancel") call("POST", `${base}/${number}/cancel`).then(changed).catch(failed);
    really.returnValue = "";
  });
  form.elements.leave.addEventListener("click", () => dialog.close());
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    vary().catch(tell);
  });

  /** Only the parameters that count, given the others, are asked for. */
  function show() {
    const active = chosen();
    for (const [key, one] of fields) one.label.hidden = !(key in active);
  }

  /** @returns {Record<string, unknown>} the parameters in the form that are active; conditions may depend on conditions */
  function chosen() {
    const found = {};
    for (let before = -1; before < Object.keys(found).length;) {
      before = Object.keys(found).length;
      for (const [key, { when }] of Object.entries(space)) {
        const holds = Object.entries(when ?? {}).every(([other, allowed]) => other in found && allowed.some((one) => one === found[other]));
        if (holds) found[key] = fields.get(key).value();
      }
    }
    return Object.fromEntries(Object.keys(space).filter((key) => key in found).map((key) => [key, found[key]]));
  }

  async function vary() {
    say("");
    for (const { input } of fields.values()) input.ariaInvalid = "false";
    const wanted = chosen();
    const empty = Object.keys(wanted).find((key) => wanted[key] === null && fields.get(key).isNumber);
    if (empty) return point(empty, "must be a number");
    await enqueue(wanted);
    return dialog.close();
  }

  /** What the server refused, at its field where it has one. */
  function tell(error) {
    const [first] = error.errors ?? [];
    const key = first?.pointer.match(/^\/trials\/0\/params\/(.*)$/)?.[1];
    if (fields.has(key)) point(key, first.message);
    else say(error.message);
  }

  function point(key, message) {
    const { input } = fields.get(key);
    input.ariaInvalid = "true";
    input.focus();
    say(`${key} ${message}`);
  }

  function say(words) {
    [wrong.textContent, wrong.hidden] = [words, words === ""];
  }

  async function enqueue(wanted) {
    const added = await call("POST", base, { trials: [{ params: wanted }] });
    const link = document.createElement("a");
    [link.href, link.textContent] = [`/studies/${encodeURIComponent(name)}/trials/${added.numbers[0]}`, `Trial ${added.numbers[0]}`];
    queued.replaceChildren(link, " waits in the queue.");
    queued.hidden = false;
    changed();
  }
}

/** @returns {{label: HTMLElement, input: HTMLInputElement|HTMLSelectElement, isNumber: boolean, value: () => unknown}} */
function field(name, parameter, value) {
  const label = document.createElement("label");
  const isNumber = parameter.type !== "categorical";
  const input = document.createElement(isNumber ? "input" : "select");
  input.className = isNumber ? "" : "choice";
  if (isNumber) Object.assign(input, { type: "text", inputMode: "decimal", autocomplete: "off", value: value ?? "", name });
  else {
    input.append(...parameter.choices.map((one) => new Option(typeof one === "string" ? one : JSON.stringify(one), JSON.stringify(one))));
    if (value !== undefined) input.value = JSON.stringify(value);
  }
  label.append(isNumber ? `${name}, ${parameter.low} to ${parameter.high}` : name, input);
  const number = () => (input.value.trim() !== "" && Number.isFinite(Number(input.value)) ? Number(input.value) : null);
  return { label, input, isNumber, value: () => (isNumber ? number() : JSON.parse(input.value)) };
}
