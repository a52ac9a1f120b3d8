// How the values are spread: the share of trials that reach each value, and how many trials lie where.

import { STATES, axis, axisName, logSwitch, marks, mount, shown, token, tooltip, valueAxis } from "./charts.js";
import { walk } from "./walk.js";

/**
 * The API's analysis `distribution`.
 * @typedef {{value: number, share: number}} Point
 * @typedef {{low: number, high: number, complete: number, pruned: number}} Bin
 * @typedef {{metric: string|null, direction: string, complete: number, median: number|null, decile: number|null,
 *   items: Point[], pruned: Point[], bins: {linear: Bin[], log?: Bin[]}}} Distribution
 * @param {{shares: HTMLElement, counts: HTMLElement}} elements of the two charts @param {HTMLInputElement|null} box for a log scale
 */
export function createDistribution(elements, box) {
  /** @type {Distribution} */
  let found = { metric: null, direction: "minimize", complete: 0, median: null, decile: null, items: [], pruned: [], bins: { linear: [] } };
  const both = () => [...found.items, ...found.pruned].map((one) => one.value);
  const shares = mount(elements.shares, () => sharesOption(found, isLog(both())));
  const counts = mount(elements.counts, () => countsOption(found, isLog(both())));
  walk(elements.shares, shares.chart, null, { thing: "value", key: (one) => (one?.words ? one.value[0] : undefined) });
  walk(elements.counts, counts.chart, null, { thing: "column", key: (one) => one?.value[0] });
  const draw = () => {
    shares.draw();
    counts.draw();
  };
  const isLog = logSwitch(box, draw, "log-values", (values) => Boolean(found.bins.log) && spread(values));
  return {
    shares,
    counts,
    /** @param {Distribution} data */
    set(data) {
      found = data;
      draw();
    },
  };
}

const spread = (values) => {
  const [low, high] = values.reduce(([a, b], one) => [Math.min(a, one), Math.max(b, one)], [Infinity, -Infinity]);
  return low > 0 && high / low >= 100;
};

/** What the charts show in a sentence. @param {Distribution} found @returns {string} */
export function distributionWords(found) {
  const than = found.direction === "maximize" ? "or more" : "or less";
  return `Half of ${found.complete.toLocaleString("en")} complete trials have ${shown(found.median)} ${than}, the best tenth ${shown(found.decile)} ${than}, the best one ${shown(found.items[0].value)}.`;
}

const bottom = (found, log) => axis({ type: log ? "log" : "value", scale: true, name: axisName(found.metric, found.direction), nameLocation: "middle", nameGap: 26,
  splitLine: { show: false }, axisLabel: { color: token("--muted"), formatter: shown, hideOverlap: true } });
const drawn = (points, log) => points.filter((one) => !log || one.value > 0);

function sharesOption(found, log) {
  return {
    grid: { left: 56, right: 24, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data?.words ?? "" }),
    xAxis: bottom(found, log),
    yAxis: { ...valueAxis("share of the trials that reach it", false), min: 0, max: 1, axisLabel: { color: token("--muted"), formatter: (share) => `${Math.round(100 * share)} %` } },
    series: [line("complete", drawn(found.items, log)), line("pruned", drawn(found.pruned, log)), guides(found, log)],
  };
}

function line(state, points) {
  return {
    id: state, type: "line", z: 2, symbolSize: 5, showSymbol: points.length < 60,
    itemStyle: { color: token(STATES[state].token) }, lineStyle: { color: token(STATES[state].token), width: 2.5, type: state === "pruned" ? "dashed" : "solid" },
    endLabel: { show: points.length > 0, formatter: state, color: token(STATES[state].token), align: "right", offset: [4, -10] },
    data: points.map((one) => ({ value: [one.value, one.share], words: `${shown(one.value)} or better: ${shown(100 * one.share)} % of the ${state} trials` })),
  };
}

/** Where the best tenth and the median are. */
function guides(found, log) {
  const said = [["best tenth", found.decile, 0.1], ["median", found.median, 0.5]].filter(([, value]) => value !== null && (!log || value > 0));
  return {
    id: "guides", type: "scatter", silent: true, z: 4, symbol: "diamond", symbolSize: 11, itemStyle: { color: token("--ink") },
    label: { show: true, position: "right", color: token("--ink"), fontSize: 12, formatter: ({ data }) => data.word },
    data: said.map(([word, value, share]) => ({ value: [value, share], word: `${word}  ${shown(value)}` })),
  };
}

function countsOption(found, log) {
  const bins = (log ? found.bins.log : found.bins.linear) ?? [];
  return {
    grid: { left: 56, right: 24, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data?.words ?? "" }),
    xAxis: bottom(found, log),
    yAxis: { ...valueAxis("trials", false), min: 0, minInterval: 1 },
    series: [columns("complete", bins, () => 0), columns("pruned", bins, (bin) => bin.complete), marksOf(found, log)],
  };
}

/** A rectangle for each bin, from its lower edge to its upper one, on top of what is `below`. */
function columns(state, bins, below) {
  const filled = bins.filter((bin) => bin[state] > 0);
  return {
    id: `bins ${state}`, type: "custom", z: 2, encode: { x: [0, 1], y: [2, 3] },
    data: filled.map((bin) => ({ value: [bin.low, bin.high, below(bin), below(bin) + bin[state]],
      words: `${bin[state]} ${state} trial${bin[state] === 1 ? "" : "s"}\nfrom ${shown(bin.low)} to ${shown(bin.high)}` })),
    renderItem: (params, api) => {
      const [left, top] = api.coord([api.value(0), api.value(3)]);
      const [right, floor] = api.coord([api.value(1), api.value(2)]);
      const { color, borderColor, borderWidth } = marks(state);
      return { type: "rect", shape: { x: left, y: top, width: Math.max(1, right - left - 1), height: floor - top },
        style: { fill: color, stroke: borderColor, lineWidth: borderWidth ? 1.5 : 0 } };
    },
  };
}

function marksOf(found, log) {
  const said = [["best tenth", found.decile], ["median", found.median]].filter(([, value]) => value !== null && (!log || value > 0));
  return {
    id: "marks", type: "line", data: [], silent: true,
    markLine: { silent: true, symbol: "none", animation: false, lineStyle: { color: token("--ink"), type: "dashed", width: 1 },
      label: { color: token("--ink"), formatter: ({ name }) => name, fontSize: 11 },
      data: said.map(([name, value], i) => ({ name, xAxis: value, label: { position: i ? "end" : "insideEndTop" } })) },
  };
}
