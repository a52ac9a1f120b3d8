// The tab Search: how each trial's parameters were chosen, whether what was expected came true, and what is believed.

import { recall, remember } from "../address.js";
import { call } from "../api.js";
import { createBelief } from "../belief.js";
import { addTools } from "../figure_tools.js";
import { calmly } from "../live.js";
import { createCalibration, createModes } from "../suggestions.js";

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const modes = createModes(panel, study);
  const calibration = createCalibration(panel, study);
  const belief = createBelief(panel, study);
  const [x, y] = ["x", "y"].map((name) => /** @type {HTMLSelectElement} */ (panel.querySelector(`select[name=belief-${name}]`)));
  const names = study.params.map((one) => one.name);
  const given = (key) => (names.includes(recall(key)) ? recall(key) : null);
  x.value = given("x") ?? names[0];
  y.value = given("y") ?? "";
  offer();

  const address = {
    suggestions: () => `${study.base}/analysis/suggestions`,
    belief: () => `${study.base}/analysis/belief?${new URLSearchParams({ x: x.value, ...(y.value ? { y: y.value } : {}) })}`,
  };
  for (const [name, option, data] of /** @type {const} */ ([["modes", modes.option, address.suggestions],
    ["calibration", calibration.option, address.suggestions], ["belief", belief.option, address.belief], ["doubt", belief.doubt, address.belief]])) {
    addTools(panel.querySelector(`#${name}`), { name, study: study.name, option, data });
  }

  async function readSuggestions() {
    const found = await call("GET", address.suggestions());
    modes.set(found);
    calibration.set(found);
  }

  async function readBelief() {
    belief.wait();
    const found = await call("GET", address.belief());
    const isAsked = found.x.name === x.value && (found.y?.name ?? "") === y.value; // or another one was chosen meanwhile
    if (isAsked) belief.set(found);
  }

  /** The second parameter is another one than the first. */
  function offer() {
    for (const one of y.options) one.disabled = one.value === x.value;
    if (y.value === x.value) y.value = "";
  }

  for (const select of [x, y]) select.addEventListener("change", () => {
    offer();
    remember("x", x.value === names[0] ? null : x.value);
    remember("y", y.value || null);
    readBelief().catch(study.failed);
  });

  const soon = calmly(() => readSuggestions().catch(study.failed), 2000);
  const soonBelief = calmly(() => readBelief().catch(study.failed), 10_000);
  return {
    fresh: async () => {
      await Promise.all([readSuggestions(), readBelief()]);
    },
    trial({ trial }) {
      soon();
      if (trial.value !== null) soonBelief();
    },
  };
}
