// The tab Parameters: which parameters, and which values of them, made good trials.

import { call } from "../api.js";
import { calmly } from "../live.js";
import { createParallel } from "../parallel.js";

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const parallel = createParallel(panel.querySelector("#parallel"), { open: study.open, picked: study.pick });

  async function fresh() {
    parallel.set(await call("GET", `${study.base}/analysis/parallel`));
    panel.querySelector("#parallel-empty").hidden = parallel.has();
  }

  const soon = calmly(() => fresh().catch(study.failed), 2000);
  return {
    fresh,
    trial({ trial }) {
      if (trial.value !== null) soon();
    },
  };
}
