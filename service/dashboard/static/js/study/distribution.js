// The tab Distribution: how the values of the trials are spread.

import { call } from "../api.js";
import { createDistribution, distributionWords } from "../distribution.js";
import { addTools } from "../figure_tools.js";
import { calmly } from "../live.js";

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const part = (id) => panel.querySelector(`#${id}`);
  const elements = { shares: part("value-shares"), counts: part("value-counts") };
  const charts = createDistribution(elements, panel.querySelector("[name=log-values]"));
  const address = () => `${study.base}/analysis/distribution`;

  async function fresh() {
    const found = await call("GET", address());
    charts.set(found);
    const isEmpty = found.items.length === 0;
    part("distribution-empty").hidden = !isEmpty;
    part("distribution-words").textContent = isEmpty ? "" : distributionWords(found);
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
