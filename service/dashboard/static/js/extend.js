// The dialog in which a study's budget is changed: all its limits, as they are at that moment.

import { Refused, call } from "./api.js";

/**
 * @param {string} base the study's address in the API
 * @param {() => unknown} done called when its budget is another
 * @returns {{open: () => Promise<void>}|null} null where who looks may not change it
 */
export function createExtend(base, done) {
  const dialog = /** @type {HTMLDialogElement|null} */ (document.getElementById("extend"));
  if (!dialog) return null;
  const form = dialog.querySelector("form");
  /** @type {HTMLInputElement[]} */
  const limits = [...form.querySelectorAll("input")];
  const save = /** @type {HTMLButtonElement} */ (form.elements.namedItem("save"));
  const other = dialog.querySelector("#wrong-extend");
  let over = 0;

  function tell(message = "", errors = []) {
    const left = errors.filter(({ pointer }) => !limits.some((one) => pointer === `/budget/${one.name}`));
    for (const one of limits) {
      const wrong = errors.find(({ pointer }) => pointer === `/budget/${one.name}`);
      dialog.querySelector(`#wrong-${one.name}`).textContent = wrong?.message ?? "";
      one.setAttribute("aria-invalid", String(wrong !== undefined));
    }
    other.textContent = errors.length ? left.map((one) => one.message).join("; ") : message;
    limits.find((one) => one.getAttribute("aria-invalid") === "true")?.focus();
  }

  async function send() {
    const unreadable = limits.filter((one) => !one.validity.valid);
    if (unreadable.length) {
      tell("", unreadable.map((one) => ({ pointer: `/budget/${one.name}`, message: one.validationMessage })));
      return;
    }
    const budget = Object.fromEntries(limits.map((one) => [one.name, one.value === "" ? null : one.valueAsNumber]));
    save.disabled = true;
    try {
      await call("PATCH", base, { budget });
      dialog.close();
      await done();
    } catch (error) {
      tell(error.message, error instanceof Refused ? error.errors : []);
    } finally {
      save.disabled = false;
    }
  }

  form.addEventListener("click", ({ target }) => {
    const more = target instanceof HTMLElement ? target.dataset.more : undefined;
    if (more === undefined) return;
    const trials = limits.find((one) => one.name === "n_trials");
    trials.value = String((Number(trials.value) || over) + Number(more));
    trials.focus();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault(); // or the first button, which leaves everything as it is, would be pressed
    send();
  });
  save.addEventListener("click", send);

  return {
    /** As it is now: the page may be older, and somebody else may have changed it. */
    async open() {
      tell();
      dialog.showModal();
      try {
        const { spec, counts } = await call("GET", base);
        over = Object.values(counts).reduce((sum, one) => sum + one, 0);
        for (const one of limits) one.value = spec.budget[one.name] ?? "";
      } catch (error) {
        tell(error.message);
      }
    },
  };
}
