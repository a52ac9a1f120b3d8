// The tab Distribution: how the values of the trials are spread, and whether early stopping took good ones away.

import { call } from "../api.js";
import { createDistribution, distributionWords } from "../distribution.js";
import { createEarlyStopping } from "../early_stopping.js";
import { addTools } from "../figure_tools.js";
import { calmly } from "../live.js";

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const part = (id) => panel.querySelector(`#${id}`);
  const elements = { shares: part("value-shares"), counts: part("value-counts") };
  const charts = createDistribution(elements, panel.querySelector("[name=log-values]"));
  let stopping = null; // there is nothing to draw before a trial was spared
  const address = () => `${study.base}/analysis/distribution`;
  const stoppingAddress = () => `${study.base}/analysis/early_stopping`;

  async function fresh() {
    const [found, stopped] = await Promise.all([call("GET", address()), call("GET", stoppingAddress())]);
    showStopping(stopped);
    charts.set(found);
    const isEmpty = found.items.length === 0;
    part("distribution-empty").hidden = !isEmpty;
    part("distribution-words").textContent = isEmpty ? "" : distributionWords(found);
  }

  function showStopping(found) {
    part("stopping-words").textContent = found.words;
    part("stopping-note").textContent = found.note;
    part("stopping-drawn").hidden = found.items.length === 0;
    if (found.items.length === 0) return;
    const element = part("stopping-values");
    if (stopping === null) {
      stopping = createEarlyStopping(element, study);
      addTools(element, { name: "early-stopping", study: study.name, option: stopping.option, data: stoppingAddress });
    }
    stopping.set(found);
  }

  const soon = calmly(() => fresh().catch(study.failed), 2000);
  for (const [name, element] of Object.entries(elements)) {
    addTools(element, { name, study: study.name, option: charts[name].option, data: address });
  }
  return {
    fresh,
    trial({ trial }) {
      if (trial.value !== null) soon();
    },
  };
}
