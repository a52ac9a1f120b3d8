// The tab History: each trial and the best so far, beside it the trial in question, and below it the curves of a few
// trials, the best and the latest.

import { recall, remember } from "../address.js";
import { call } from "../api.js";
import { createBeside } from "../beside.js";
import { choices, choose, mayBeTrain, trainOf } from "../curve_values.js";
import { createCurves } from "../curves.js";
import { addTools } from "../figure_tools.js";
import { createHistory } from "../history.js";
import { atRest, calmly } from "../live.js";

const MOST = 1000; // trials that are read and drawn at once; the page's head names the first address that has it

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const select = panel.querySelector("select[name=metric]");
  const empty = { history: panel.querySelector("#history-empty"), curves: panel.querySelector("#curves-empty") };
  const note = panel.querySelector("#history-note");
  const attempts = new Map();
  const beside = createBeside(panel.querySelector("#history-trial"), study);
  const history = createHistory(panel.querySelector("#history"), { ...study, pointed: beside.point, shown: look });
  const curves = createCurves(panel.querySelector("#curves"), study);
  const known = () => [...select.options].map((one) => one.value).concat(JSON.parse(select.dataset.trains ?? "[]"));
  let [part, isThinned, total] = [kept(), false, 0];
  /** The curves drawn: chosen from all trials that are known, not only from the part that is looked at. */
  let chosen = [];

  const historyAddress = () => `${study.base}/analysis/history?${new URLSearchParams({ most: String(MOST), ...(isThinned && part ? { first: String(part.first), last: String(part.last) } : {}) })}`;
  const curvesAddress = (...metrics) => {
    const query = new URLSearchParams({ trials: chosen.join(",") });
    for (const one of metrics) if (one) query.append("metric", one);
    return `${study.base}/curves?${query}`;
  };
  addTools(panel.querySelector("#history"), { name: "history", study: study.name, option: history.option,
    data: () => `${study.base}/analysis/history` });
  addTools(panel.querySelector("#curves"), { name: "curves-few", study: study.name, option: curves.option,
    data: () => curvesAddress(select.value || study.metric, trainOf(select.value, known())) });

  async function readHistory() {
    const found = await call("GET", `${study.base}/analysis/history?most=${MOST}`);
    [isThinned, total] = [found.note !== "", found.total];
    history.set(found.items);
    chosen = choose(found.items, study.direction);
    empty.history.hidden = found.items.length > 0;
    note.textContent = found.note || "each trial, and the best so far";
    if (part) history.look(part);
    if (isThinned && part) await readPart();
    if (beside.isEmpty()) beside.point(study.best() ?? found.items.at(-1)?.number ?? null);
  }

  /** Of a large study more is told of the part that is looked at. */
  async function readPart() {
    if (!isThinned || !part) return;
    const found = await call("GET", historyAddress());
    for (const one of found.items) history.update(one);
    note.textContent = found.note || `showing all trials from ${part.first} to ${part.last} of ${total.toLocaleString("en")}`;
  }

  function look(range) {
    part = range;
    remember("from", range && String(range.first));
    remember("to", range && String(range.last));
    soonPart();
  }

  async function readCurves() {
    const wanted = select.value || recall("metric") || study.metric;
    const asked = wanted ? [wanted, ...(known().length ? [trainOf(wanted, known())] : mayBeTrain(wanted))] : [];
    const found = chosen.length ? await call("GET", curvesAddress(...asked)) : { items: [], metrics: known() };
    offer(found.metrics, wanted);
    const train = select.value ? trainOf(select.value, known()) : undefined;
    if ([select.value, train].some((one) => one && !asked.includes(one))) return readCurves(); // now that they are known
    curves.setView({ direction: wanted === study.metric ? study.direction : null });
    curves.setBest(study.best());
    curves.set(found.items, select.value || null, train);
    empty.curves.hidden = found.items.length > 0;
    return undefined;
  }

  /** Offer the metrics to choose from. */
  function offer(metrics, wanted) {
    const names = choices(metrics);
    const trains = JSON.stringify(metrics.filter((one) => !names.includes(one)));
    const before = [...select.options].map((one) => one.value);
    if (names.join("\n") === before.join("\n") && trains === (select.dataset.trains ?? "[]")) return;
    select.dataset.trains = trains;
    select.closest("label").hidden = names.length === 0;
    select.replaceChildren(...names.map((one) => new Option(one, one)));
    select.value = names.includes(wanted) ? wanted : names.includes(study.metric) ? study.metric : (names[0] ?? "");
  }

  const trying = (read) => () => read().catch(study.failed);
  const soonCurves = calmly(trying(readCurves), 1000);
  const soonPart = atRest(trying(readPart), 300);
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
      beside.forget(trial.number);
      empty.history.hidden = true;
      chosen = choose(history.all(), study.direction);
      curves.update(trial);
      if (isAgain || chosen.some((one) => !curves.has(one))) soonCurves();
    },
    report(event) {
      const metrics = new Set(event.reports.flatMap((one) => Object.keys(one.metrics)));
      if ([...metrics].some((one) => !known().includes(one))) soonCurves();
      else if (curves.has(event.number) || chosen.includes(event.number)) curves.append(event.number, event.reports);
    },
    picked: history.pick,
  };
}

/** The part of the trials that the address names. */
function kept() {
  const [first, last] = ["from", "to"].map((key) => Number.parseInt(recall(key) ?? "", 10));
  return first >= 0 && last > first ? { first, last } : null;
}
