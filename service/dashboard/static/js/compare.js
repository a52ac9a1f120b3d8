// Several studies beside each other: read again every few seconds while one of them runs and somebody looks.

import { remember } from "./address.js";
import { call } from "./api.js";
import { SERIES, axis, axisName, logSwitch, mount, shown, token, tooltip, valueAxis } from "./charts.js";
import { addTools } from "./figure_tools.js";
import { setLive } from "./frame.js";
import { failed, fetchPage, takeOver } from "./parts.js";
import { duration } from "./table.js";
import { walk } from "./walk.js";

const EVERY = 4000; // milliseconds
const names = JSON.parse(document.getElementById("compare").dataset.names);
const select = document.querySelector("select[name=x]");
const AXES = { trials: "trials that ended", epochs: "epochs of all trials", seconds: "time since the first trial began" };

/** @type {Map<string, {progress: any, distribution: any}>} */
const read = new Map();
const at = new URL(location.href).searchParams.get("x");
if (at in AXES) select.value = at;

const open = (event) => {
  const { study, trial } = event.data ?? {};
  if (trial !== undefined) location.assign(`/studies/${encodeURIComponent(study)}/trials/${trial}`);
};
const progress = mount(document.getElementById("progress"), () => progressOption());
const distribution = mount(document.getElementById("distribution"), () => distributionOption());
const isLog = logSwitch(document.querySelector("input[name=log-progress]"), progress.draw);
const isLogDistribution = logSwitch(document.querySelector("input[name=log-distribution]"), distribution.draw);
progress.chart.on("click", open);
const byPlace = { thing: "point", key: (one, place) => (one?.words ? place : undefined) };
walk(document.getElementById("progress"), progress.chart, (place) => open({ data: progress.chart.getOption().series.flatMap(({ data }) => data)[place] }), byPlace);
walk(document.getElementById("distribution"), distribution.chart, null, byPlace);
/** What was read of all studies as one file, at an address that only this page knows; the one before is let go. */
const kept = { progress: "", distribution: "" };
const asFile = (kind) => {
  URL.revokeObjectURL(kept[kind]);
  const found = Object.fromEntries([...read].map(([name, one]) => [name, one[kind]]));
  return (kept[kind] = URL.createObjectURL(new Blob([JSON.stringify(found, null, 1)], { type: "application/json" })));
};
for (const [kind, { option }] of /** @type {const} */ ([["progress", progress], ["distribution", distribution]])) {
  addTools(document.getElementById(kind), { name: kind, study: names.join("-"), whose: names.join(", "), option, data: () => asFile(kind) });
}

/** The studies with something to draw. @param {"progress"|"distribution"} kind */
const drawn = (kind) => names.map((name, i) => ({ name, colour: SERIES[i], ...read.get(name)?.[kind] })).filter((one) => one.items?.length);

/** @param {any[]} found @returns {string} the axis of values: named by the objective that all share */
function objective(found) {
  const told = new Set(found.map((one) => axisName(one.metric, one.direction)));
  return told.size === 1 ? [...told][0] : "value";
}

const line = ({ name, colour }) => ({
  name, type: "line", symbol: "circle", symbolSize: 6,
  lineStyle: { color: colour, width: 2.5 }, itemStyle: { color: colour },
});

function progressOption() {
  const found = drawn("progress");
  const x = select.value;
  const log = isLog(found.flatMap((one) => one.items.map((item) => item.best)));
  return {
    grid: { left: 56, right: 24, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: (one) => one.data.words }),
    xAxis: axis({ type: "value", name: AXES[x], nameLocation: "middle", nameGap: 26, min: 0, splitLine: { show: false }, minInterval: x === "seconds" ? undefined : 1,
      axisLabel: { color: token("--muted"), hideOverlap: true, formatter: x === "seconds" ? duration : shown } }),
    yAxis: valueAxis(objective(found), log),
    series: found.map((one) => ({
      ...line(one), id: one.name, step: "end",
      data: one.items.filter((item) => !log || item.best > 0).map((item) => ({
        value: [item[x], item.best], study: one.name, trial: item.number,
        words: `${one.name}\ntrial ${item.number}   ${shown(item.best)}\nafter ${item.trials} trials, ${item.epochs} epochs, ${duration(item.seconds)}`,
      })),
    })),
  };
}

function distributionOption() {
  const found = drawn("distribution");
  const log = isLogDistribution(found.flatMap((one) => one.items.map((item) => item.value)));
  const bottom = { name: objective(found), nameLocation: "middle", nameGap: 26, splitLine: { show: false } };
  return {
    grid: { left: 56, right: 24, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: (one) => one.data.words }),
    xAxis: axis({ type: log ? "log" : "value", scale: true, ...bottom, axisLabel: { color: token("--muted"), formatter: shown, hideOverlap: true } }),
    yAxis: valueAxis("share of complete trials", false),
    series: found.map((one) => ({
      ...line(one), id: one.name, symbolSize: 3,
      data: one.items.filter((item) => !log || item.value > 0).map((item) => ({
        value: [item.value, item.share],
        words: `${one.name}\n${shown(item.value)} or better: ${shown(100 * item.share)} % of ${one.complete} trials`,
      })),
    })),
  };
}

let timer = 0;
let asked = 0;

async function load() {
  clearTimeout(timer);
  const mine = (asked += 1);
  if (document.hidden) return setLive("paused", "paused");
  try {
    const fresh = await fetchPage(location.href);
    if (fresh) takeOver(fresh);
    await Promise.all(names.map(readStudy));
    if (mine !== asked) return undefined;
    draw();
    document.getElementById("problem").hidden = true;
    setLive("live", "live");
  } catch (error) {
    if (mine !== asked) return undefined;
    failed(error);
    setLive("reconnecting", "reconnecting");
  }
  timer = setTimeout(load, EVERY);
  return undefined;
}

/** @param {string} name */
async function readStudy(name) {
  const kinds = /** @type {const} */ (["progress", "distribution"]);
  const base = `/api/v1/studies/${encodeURIComponent(name)}/analysis`;
  const [progress, distribution] = await Promise.all(kinds.map((kind) => call("GET", `${base}/${kind}`)));
  read.set(name, { progress, distribution });
}

function draw() {
  for (const [kind, chart] of /** @type {const} */ ([["progress", progress], ["distribution", distribution]])) {
    document.getElementById(`${kind}-empty`).hidden = drawn(kind).length > 0;
    chart.draw();
  }
}

select.addEventListener("change", () => {
  remember("x", select.value === "trials" ? null : select.value);
  progress.draw();
});
document.addEventListener("visibilitychange", load);
window.addEventListener("pageshow", (event) => event.persisted && load());
load();
