// The tab Timeline: who tried which trial when; of a large study the latest trials, and earlier ones page by page.

import { recall, remember } from "../address.js";
import { call } from "../api.js";
import { addTools } from "../figure_tools.js";
import { calmly } from "../live.js";
import { createTimeline } from "../timeline.js";

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const [element, empty, idle, note, pages] = ["", "-empty", "-idle", "-note", "-pages"].map((one) => panel.querySelector(`#timeline${one}`));
  const [earlier, later] = pages.querySelectorAll("button");
  const timeline = createTimeline(element, study);
  let last = /^\d{1,9}$/.test(recall("until") ?? "") ? recall("until") : null; // the last trial's number; null: the latest one
  let found = { first: 0, last: 0, total: 0, items: [] };
  const address = () => `${study.base}/analysis/timeline${last === null ? "" : `?last=${last}`}`;
  addTools(element, { name: "timeline", study: study.name, option: timeline.option, data: address });

  async function fresh() {
    found = await call("GET", address());
    timeline.set(found);
    element.hidden = found.items.length === 0;
    empty.hidden = found.items.length > 0;
    idle.textContent = found.idle === null ? "" : `Workers were idle ${percent(found.idle)} of the time${found.note ? " shown" : ""}.`;
    note.textContent = found.note;
    pages.hidden = found.note === "";
    [earlier.disabled, later.disabled] = [found.first === 0, found.last >= found.total - 1];
  }

  function turn(to) {
    last = to >= found.total - 1 ? null : String(to);
    remember("until", last);
    fresh().catch(study.failed);
  }

  earlier.addEventListener("click", () => turn(found.first - 1));
  later.addEventListener("click", () => turn(found.last + (found.last - found.first + 1)));
  const soon = calmly(() => fresh().catch(study.failed), 2000);
  const grow = calmly(timeline.draw, 1000);
  return {
    fresh,
    trial: () => last === null && soon(),
    report: grow,
  };
}

/** @param {number} share of 1 @returns {string} */
const percent = (share) => `${share > 0 && share < 0.01 ? "less than 1" : Math.round(share * 100)} %`;
