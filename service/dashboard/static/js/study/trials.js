// The tab Trials: the table of all trials.

import { calmly } from "../live.js";
import { createTable } from "../table.js";

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const table = createTable(panel.querySelector("#trials"), study);
  return { fresh: table.load, trial: calmly(table.load, 1000), picked: table.pick };
}
