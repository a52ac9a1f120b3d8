// What became of the trials that would have been stopped early but ran on: the value of each then, and in the end.

import { axis, axisName, logSwitch, marks, mount, number, shown, token, tooltip, valueAxis } from "./charts.js";
import { walk } from "./walk.js";

/**
 * The API's analysis `early_stopping`.
 * @typedef {{number: number, state: string, step: number, reason: string, then: number|string|null, value: number|string|null}} Spared
 * @typedef {{metric: string|null, direction: string, words: string, note: string, pruned: number,
 *   best: {number: number, value: number}|null, items: Spared[]}} EarlyStopping
 * @param {HTMLElement} element
 * @param {{open: (number: number) => void}} study
 */
export function createEarlyStopping(element, study) {
  /** @type {EarlyStopping} */
  let found = { metric: null, direction: "minimize", words: "", note: "", pruned: 0, best: null, items: [] };
  const isLog = logSwitch(null, () => draw());
  const { chart, draw, option } = mount(element, () => whole(found, isLog));
  chart.on("click", ({ data }) => data?.trial !== undefined && study.open(data.trial));
  walk(element, chart, study.open);
  return {
    draw,
    option,
    /** @param {EarlyStopping} data */
    set(data) {
      found = data;
      draw();
    },
  };
}

const finite = (value) => value !== null && Number.isFinite(number(value));

function whole(found, isLog) {
  const both = found.items.flatMap((one) => [one.then, one.value]).filter(finite).map(number);
  const log = isLog([...both, ...(found.best ? [found.best.value] : [])]);
  const drawn = (value) => finite(value) && (!log || number(value) > 0);
  const ends = found.items.filter((one) => one.state === "complete");
  return {
    grid: { left: 56, right: 64, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data?.words ?? "" }),
    xAxis: axis({ type: "category", data: found.items.map((one) => String(one.number)), name: "trial", nameLocation: "middle", nameGap: 26 }),
    yAxis: valueAxis(axisName(found.metric, found.direction), log),
    series: [
      ways(ends.filter((one) => drawn(one.then) && drawn(one.value))),
      points("then", found.items.filter((one) => drawn(one.then)), (one) => one.then, "pruned"),
      points("end", ends.filter((one) => drawn(one.value)), (one) => one.value, "complete"),
      bestLine(found, log),
    ],
  };
}

const said = (one) => `trial ${one.number}\n${shown(one.then)} at step ${one.step}, where it would have been stopped\n${one.state === "complete" ? `${shown(one.value)} in the end` : one.state}`;

function points(id, items, value, state) {
  return {
    id, type: "scatter", z: 3, symbolSize: 9, cursor: "pointer", itemStyle: marks(state),
    data: items.map((one) => ({ value: [String(one.number), number(value(one))], trial: one.number, words: said(one) })),
  };
}

/** From what each had to what it came to. */
function ways(items) {
  return {
    id: "ways", type: "custom", z: 2, silent: true, encode: { x: 0, y: [1, 2] },
    data: items.map((one) => ({ value: [String(one.number), number(one.then), number(one.value)] })),
    renderItem: (params, api) => {
      const [x, from] = api.coord([api.value(0), api.value(1)]);
      const [, to] = api.coord([api.value(0), api.value(2)]);
      return { type: "line", shape: { x1: x, y1: from, x2: x, y2: to }, style: { stroke: token("--muted"), lineWidth: 1.5 } };
    },
  };
}

function bestLine(found, log) {
  const best = found.best && (!log || found.best.value > 0) ? found.best : null;
  return {
    id: "best", type: "line", data: [], silent: true,
    markLine: { silent: true, symbol: "none", animation: false, lineStyle: { color: token("--ink"), type: "dashed", width: 1 },
      label: { color: token("--ink"), formatter: ({ name }) => name, fontSize: 11 },
      data: best ? [{ name: `best ${shown(best.value)}`, yAxis: best.value }] : [] },
  };
}
