// Slices: the value over each parameter in a small chart of its own, all with the same y axis. Later trials are stronger in
// colour, so that one sees where the search went; a line follows the median.

import { cut, layouts, paramAxis, place } from "./axes.js";
import { STATES, axisName, logSwitch, mount, paramLines, shown, token, tooltip, valueAxis } from "./charts.js";
import { mix } from "./colours.js";
import { walk } from "./walk.js";

export const MOST = 12; // parameters
const [WIDE, TALL, GAP] = [260, 200, 56]; // pixels of a chart, and between two of them
const LEFT = 56;

/**
 * The API's analysis `slice`.
 * @typedef {{at: number|string|boolean|null, middle: number, low: number, high: number, trials: number}} Bin
 * @typedef {{number: number, state: string, value: number, params: Record<string, any>}} Item
 * @typedef {{metric: string|null, direction: string, axes: (import("./axes.js").Parameter & {trend: Bin[]})[],
 *   items: Item[]}} Slices
 * @param {HTMLElement} element
 * @param {{open: (number: number) => void, log: HTMLInputElement|null}} page `log`: the box for a log scale
 */
export function createSlices(element, page) {
  /** @type {Slices} */
  let found = { metric: null, direction: "minimize", axes: [], items: [] };
  /** @type {string[]} */
  let order = [];
  /** @type {Set<number>|null} */
  let picks = null;
  const { chart, draw, option } = mount(element, () => {
    const [seen, columns] = [sorted(), columnsOf(element)];
    fits(seen.axes.map((one) => one.name), columns);
    return whole(seen, picks, columns, isLog);
  });
  const fits = layouts(() => chart);
  const isLog = logSwitch(page.log, draw, "log-slices");
  const sorted = () => {
    const rank = (axis) => (order.includes(axis.name) ? order.indexOf(axis.name) : order.length);
    return { ...found, axes: [...found.axes].sort((a, b) => rank(a) - rank(b)).slice(0, MOST) };
  };
  chart.on("click", (event) => event.data?.trial !== undefined && page.open(event.data.trial));
  walk(element, chart, page.open);
  return {
    chart,
    option,
    /** @param {Slices} data @param {string[]} names the parameters in the order wanted; those left out come last */
    set(data, names = order) {
      [found, order] = [data, names];
      const rows = Math.ceil(Math.min(MOST, data.axes.length) / columnsOf(element));
      element.style.height = `${Math.max(1, rows) * (TALL + GAP) + 24}px`;
      draw();
    },
    /** @param {string[]} names as above */
    arrange(names) {
      order = names;
      draw();
    },
    /** @param {Set<number>|null} numbers the trials to show over the others, null for all */
    pick(numbers) {
      picks = numbers;
      draw();
    },
  };
}

const columnsOf = (element) => Math.max(1, Math.min(4, Math.floor((element.clientWidth || WIDE) / WIDE)));

function whole(found, picks, columns, isLog) {
  const log = isLog(found.items.map((one) => one.value));
  const items = log ? found.items.filter((one) => one.value > 0) : found.items;
  const last = items.reduce((a, one) => Math.max(a, one.number), 1);
  const [low, high] = items.reduce(([a, b], one) => [Math.min(a, one.value), Math.max(b, one.value)], [Infinity, -Infinity]);
  const room = (high - low) / 20 || 1;
  const bounds = log ? { min: low / 1.2, max: high * 1.2 } : { min: low - room, max: high + room };
  return {
    grid: found.axes.map((_, i) => box(i, columns)),
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data?.words ?? "" }),
    xAxis: found.axes.map((one, i) => ({ ...paramAxis(one, { gridIndex: i, name: cut(one.name, 30), nameLocation: "middle", nameGap: 26,
      nameTextStyle: { color: token("--ink"), fontSize: 12 }, splitLine: { show: false } }, 8) })),
    yAxis: found.axes.map((_, i) => yAxis(found, i, { log, isLabelled: i % columns === 0, bounds: items.length ? bounds : {} })),
    series: found.axes.flatMap((one, i) => [dots(one, i, items, last, picks), trend(one, i, log)]),
  };
}

function yAxis({ metric, direction }, i, { log, isLabelled, bounds }) {
  const own = valueAxis(axisName(metric, direction), log);
  const axisLabel = { ...own.axisLabel, show: isLabelled, showMinLabel: false, showMaxLabel: false };
  const axisLine = { ...own.axisLine, onZero: false };
  return { ...own, name: i === 0 ? own.name : "", gridIndex: i, ...bounds, splitNumber: 4, axisLabel, axisLine };
}

/** Where a chart stands, in shares of the whole: the element's width may be any. */
function box(i, columns) {
  const [row, column] = [Math.floor(i / columns), i % columns];
  const share = 100 / columns;
  return { left: column === 0 ? LEFT : `${share * column + 2}%`, width: column === 0 ? `${share - 6}%` : `${share - 3}%`,
    top: 32 + row * (TALL + GAP), height: TALL - 8 };
}

function dots(one, i, items, last, picks) {
  const data = items.map((item) => ({ item, at: place(one, item.params[one.name]) })).filter(({ at }) => at !== null);
  return {
    id: `dots ${one.name}`, type: "scatter", xAxisIndex: i, yAxisIndex: i, symbolSize: 6, z: 2, emphasis: { scale: 1.6 },
    data: data.map(({ item, at }) => {
      const colour = mix("--raised", "--accent", 0.3 + 0.7 * (item.number / last));
      const hollow = item.state !== "complete";
      return {
        value: [at, item.value], trial: item.number, words: words(item),
        itemStyle: { color: hollow ? token("--raised") : colour, borderColor: colour, borderWidth: hollow ? 1.5 : 0, opacity: picks && !picks.has(item.number) ? 0.08 : 0.9 },
      };
    }),
  };
}

function trend(one, i, log) {
  const bins = one.trend.filter((bin) => !log || bin.middle > 0);
  const isChoice = one.type === "categorical";
  return {
    id: `trend ${one.name}`, type: isChoice ? "scatter" : "line", xAxisIndex: i, yAxisIndex: i, z: 3, silent: true,
    symbol: isChoice ? "rect" : "none", symbolSize: [28, 3], itemStyle: { color: token("--ink") },
    lineStyle: { color: token("--ink"), width: 1.75, opacity: 0.8 },
    data: bins.map((bin) => ({ value: [place(one, bin.at), bin.middle] })),
  };
}

/** @param {Item} one @returns {string} */
export function words(one) {
  return `trial ${one.number}   ${STATES[one.state].shape} ${one.state}\n${shown(one.value)}\n${paramLines(one.params)}\nclick to open`;
}
