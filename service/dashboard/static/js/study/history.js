// The tab History: each trial and the best so far, and below it the curves of a few trials, the best and the latest.

import { recall, remember } from "../address.js";
import { call } from "../api.js";
import { choices, choose, trainOf } from "../curve_values.js";
import { createCurves } from "../curves.js";
import { addTools } from "../figure_tools.js";
import { createHistory } from "../history.js";
import { calmly } from "../live.js";

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const select = panel.querySelector("select[name=metric]");
  const empty = { history: panel.querySelector("#history-empty"), curves: panel.querySelector("#curves-empty") };
  const attempts = new Map();
  const history = createHistory(panel.querySelector("#history"), study);
  const curves = createCurves(panel.querySelector("#curves"), study);
  addTools(panel.querySelector("#history"), { name: "history", study: study.name, option: history.option,
    data: () => `${study.base}/analysis/history` });
  const known = () => [...select.options].map((one) => one.value).concat(JSON.parse(select.dataset.trains ?? "[]"));
  const chosen = () => choose(history.all(), study.direction);

  async function readHistory() {
    const found = await call("GET", `${study.base}/analysis/history`);
    history.set(found.items);
    empty.history.hidden = found.items.length > 0;
  }

  async function readCurves() {
    const wanted = select.value || recall("metric") || study.metric;
    const query = new URLSearchParams({ trials: chosen().join(",") });
    const train = wanted ? trainOf(wanted, known()) : undefined;
    for (const one of [wanted, train]) if (one) query.append("metric", one);
    const found = await call("GET", `${study.base}/curves?${query}`);
    const isNew = offer(found.metrics, wanted);
    if (isNew && found.metrics.length) return readCurves(); // once more, now that the metrics are known
    curves.setBest(study.best());
    curves.set(found.items, select.value || null, train);
    empty.curves.hidden = found.items.length > 0;
    return undefined;
  }

  /** Offer the metrics to choose from. @returns {boolean} whether there were others before */
  function offer(metrics, wanted) {
    const names = choices(metrics);
    const trains = JSON.stringify(metrics.filter((one) => !names.includes(one)));
    const before = [...select.options].map((one) => one.value);
    if (names.join("\n") === before.join("\n") && trains === (select.dataset.trains ?? "[]")) return false;
    select.dataset.trains = trains;
    select.closest("label").hidden = names.length === 0;
    select.replaceChildren(...names.map((one) => new Option(one, one)));
    select.value = names.includes(wanted) ? wanted : names.includes(study.metric) ? study.metric : (names[0] ?? "");
    return true;
  }

  const trying = (read) => () => read().catch(study.failed);
  const soonCurves = calmly(trying(readCurves), 1000);
  select.addEventListener("change", () => {
    remember("metric", select.value === study.metric ? null : select.value);
    trying(readCurves)();
  });

  return {
    async fresh() {
      await readHistory();
      await readCurves();
    },
    trial({ trial }) {
      const isAgain = attempts.has(trial.number) && attempts.get(trial.number) !== trial.attempt;
      attempts.set(trial.number, trial.attempt);
      history.update(trial);
      empty.history.hidden = true;
      curves.update(trial);
      if (isAgain || chosen().some((one) => !curves.has(one))) soonCurves();
    },
    report(event) {
      const metrics = new Set(event.reports.flatMap((one) => Object.keys(one.metrics)));
      if ([...metrics].some((one) => !known().includes(one))) soonCurves();
      else if (curves.has(event.number) || chosen().includes(event.number)) curves.append(event.number, event.reports);
    },
  };
}
