// Activations and gradients over the steps: how far each layer's spread, and one layer's histograms as a row of ridges.

import { axis, mount, shown, token, tooltip, valueAxis } from "./charts.js";
import { mix } from "./colours.js";
import { walk } from "./walk.js";

const OVERLAP = 4; // a ridge is so many rows high
const [TOP, BOTTOM, LABEL] = [36, 44, 13]; // pixels: around the axes, and of a label
const FAR = 4; // deviations from the mean: what lies beyond is told, not drawn

/**
 * @typedef {{low: number, high: number, mean: number, deviation: number, counts: number[]}} Histogram
 * @typedef {{steps: number[], activations: Record<string, Histogram[]>, gradients: Record<string, Histogram[]>}} Histograms
 * @typedef {{found: Histograms, kind: "activations"|"gradients", layer: string, best: number|null}} View `best`: the best step
 */

/** @param {any} found whatever the file holds @returns {boolean} */
export function isHistograms(found) {
  const named = [found?.activations, found?.gradients];
  return Array.isArray(found?.steps) && found.steps.length > 0 && named.every((one) => one && typeof one === "object")
    && named.every((one) => Object.values(one).every((all) => Array.isArray(all) && all.every((h) => Array.isArray(h?.counts))));
}

/**
 * The deviation of each layer over the steps.
 * @param {HTMLElement} element @param {() => View} view @param {(layer: string) => void} choose
 */
export function createSpread(element, view, choose) {
  const made = mount(element, () => spread(view(), element));
  made.chart.on("click", ({ seriesId }) => seriesId && choose(seriesId));
  walk(element, made.chart, null, { thing: "step", key: (one) => one.value[0] });
  return made;
}

/** One layer's histograms, a ridge for each step. @param {HTMLElement} element @param {() => View} view */
export function createRidges(element, view) {
  const made = mount(element, () => ridges(view()));
  walk(element, made.chart, null, { thing: "step", key: (one) => one[2] });
  return made;
}

function spread(view, element) {
  const layers = Object.entries(view.found[view.kind]);
  const decades = range10(layers.flatMap(([, all]) => all.map((one) => one.deviation)));
  const height = element.clientHeight - TOP - BOTTOM;
  const hasRoom = layers.length * LABEL <= height;
  const places = apart(layers.map(([, all]) => all.at(-1)?.deviation ?? 0), decades, height);
  const room = Math.min(element.clientWidth / 3, 16 + 6.5 * Math.max(0, ...layers.map(([name]) => name.length)));
  return {
    grid: { left: 64, right: room, top: TOP, bottom: BOTTOM },
    tooltip: tooltip({ trigger: "item", formatter: (at) => at.data?.words ?? `${at.seriesId ?? ""}\nclick to choose` }),
    xAxis: axis({ type: "value", name: "step", nameLocation: "middle", nameGap: 26, minInterval: 1, splitLine: { show: false },
      min: "dataMin", max: "dataMax" }),
    yAxis: { ...valueAxis(`standard deviation of the ${view.kind}`, true), min: decades[0], max: decades[1] },
    series: layers.map(([name, all], i) => line(name, all, view, layers.length > 1 ? i / (layers.length - 1) : 0,
      hasRoom ? { y: places[i] } : { hideOverlap: true })),
  };
}

/** The whole decades around values. @param {number[]} values @returns {number[]} */
function range10(values) {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  if (!logs.length) return [0.1, 1];
  const [low, high] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  return [10 ** low, 10 ** Math.max(high, low + 1)];
}

/**
 * Places for labels beside the lines' ends, so that none lies on another.
 * @param {number[]} values where the lines end @param {number[]} decades the axis @param {number} height of it in pixels
 * @returns {number[]} in pixels from the chart's top
 */
function apart(values, [low, high], height) {
  const places = values.map((value) => (height * Math.log10(high / Math.max(value, low))) / Math.log10(high / low));
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  const put = [...places];
  order.forEach((i, rank) => (put[i] = Math.max(put[i], rank ? put[order[rank - 1]] + LABEL : 0)));
  [...order].reverse().forEach((i, rank) => (put[i] = Math.min(put[i], rank ? put[order.at(-rank)] - LABEL : height)));
  return put.map((place) => TOP + place);
}

/** @param {number} depth from 0, the first layer, to 1, the last @param {object} layout of its label */
function line(name, all, { found, layer }, depth, layout) {
  const isChosen = name === layer;
  const colour = mix("--accent", "--pruned", depth);
  const points = all.map((one, i) => ({ value: [found.steps[i], one.deviation], words: words(name, found.steps[i], one) }));
  return {
    id: name, type: "line", triggerLineEvent: true, symbol: "circle", symbolSize: isChosen ? 7 : 5,
    showSymbol: isChosen || points.length < 2, z: isChosen ? 4 : 3,
    data: points.filter(({ value }) => value[1] > 0),
    itemStyle: { color: colour },
    lineStyle: { color: colour, width: isChosen ? 3.5 : 1.5 },
    emphasis: { focus: "series", lineStyle: { width: 3.5 } },
    endLabel: { show: true, formatter: name, color: token("--ink"), fontSize: 11, fontWeight: isChosen ? "bold" : "normal",
      width: 120, overflow: "truncate" },
    labelLayout: layout,
  };
}

function ridges({ found, kind, layer, best }) {
  const all = found[kind][layer] ?? [];
  const [low, high] = range(all);
  return {
    grid: { left: 56, right: 32, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: ({ value: [, , place] }) => words(layer, found.steps[place], all[place]) }),
    xAxis: axis({ type: "value", name: kind === "gradients" ? "gradient" : "activation", nameLocation: "middle", nameGap: 26,
      min: low, max: high, splitLine: { show: false },
      axisLine: { onZero: false, lineStyle: { color: token("--line") } },
      axisLabel: { showMinLabel: false, showMaxLabel: false, color: token("--muted"), hideOverlap: true, formatter: shown } }),
    yAxis: rows(found.steps, best),
    series: [{
      id: "ridges", type: "custom", animation: false, clip: true,
      encode: { x: [0, 1], y: 2 },
      data: all.map((one, i) => [one.low, one.high, i]),
      renderItem: (params, api) => ridge(all[params.dataIndex], params.dataIndex, api, colours(found.steps, params.dataIndex, best)),
    }],
  };
}

/** The axis of the steps: a row for each, the last one in front. */
function rows(steps, best) {
  return axis({
    type: "value", inverse: true, axisLine: { onZero: false, show: false }, min: -OVERLAP, max: steps.length - 0.5, interval: 1, name: "step", nameLocation: "start",
    nameGap: 14, splitLine: { show: false },
    nameTextStyle: { color: token("--muted"), fontSize: 12, align: "right", padding: [0, 6, 0, 0] },
    axisLabel: { color: token("--muted"), hideOverlap: true,
      formatter: (row) => (Number.isInteger(row) && row in steps ? `${steps[row] === best ? "▲ " : ""}${steps[row]}` : "") },
  });
}

/** Of all steps, without far tails. @param {Histogram[]} all @returns {number[]} never empty between */
function range(all) {
  const low = Math.min(...all.map((one) => Math.max(one.low, one.mean - FAR * one.deviation)));
  const high = Math.max(...all.map((one) => Math.min(one.high, one.mean + FAR * one.deviation)));
  if (!all.length) return [0, 1];
  return high > low ? [low, high] : [low - 1, low + 1];
}

function colours(steps, at, best) {
  if (steps[at] === best) return { fill: mix("--raised", "--complete", 0.45), stroke: token("--complete") };
  const age = steps.length > 1 ? at / (steps.length - 1) : 1;
  return { fill: mix("--raised", "--accent", 0.12 + 0.3 * age), stroke: mix("--raised", "--accent", 0.45 + 0.55 * age) };
}

/** A histogram as a polygon on its row; each as high as any, so that shapes compare. */
function ridge(one, row, api, { fill, stroke }) {
  const peak = Math.max(...one.counts);
  if (!(peak > 0)) return null; // nothing finite was there
  const width = (one.high - one.low) / one.counts.length;
  const outline = one.counts.map((count, i) => api.coord([one.low + (i + 0.5) * width, row - (OVERLAP * count) / peak]));
  const points = [api.coord([one.low, row]), ...outline, api.coord([one.high, row])];
  return { type: "polygon", shape: { points }, style: { fill, stroke, lineWidth: 1.25, opacity: 0.92 },
    emphasis: { style: { stroke: token("--ink"), lineWidth: 2 } } };
}

function words(layer, step, one) {
  const spreadOf = `mean ${shown(one.mean)} ± ${shown(one.deviation)}`;
  return `${layer}, step ${step}\n${spreadOf}\nfrom ${shown(one.low)} to ${shown(one.high)}`;
}
