// What a Gaussian process believes of a study: a line with its deviation along one parameter, two maps over two.

import { axis, axisName, mount, shown, shownParam, token, tooltip } from "./charts.js";
import { walk } from "./walk.js";

/**
 * @typedef {{name: string, type: string, log?: boolean}} Axis
 * @typedef {{metric: string|null, direction: string, x: Axis, y: Axis|null, xs: unknown[], ys: unknown[], mean: any[],
 *   deviation: any[], others: Record<string, unknown>, best?: number, note?: string,
 *   items: {number: number, state: string, value: number, params: Record<string, unknown>}[]}} Belief
 */

/** @param {HTMLElement} panel @param {{open: (number: number) => void}} study */
export function createBelief(panel, study) {
  /** @type {Belief|null} */
  let found = null;
  const doubt = /** @type {HTMLElement} */ (panel.querySelector("#doubt"));
  const doubts = doubt.closest("figure"); // of one parameter the deviation is drawn around the line
  const element = /** @type {HTMLElement} */ (panel.querySelector("#belief"));
  const words = panel.querySelector("#belief-words");
  const main = mount(element, () => (!found?.xs.length ? {} : found.y ? map(found, "mean") : line(found)));
  const second = mount(doubt, () => (found?.y && found.xs.length ? map(found, "deviation") : {}));
  for (const { chart } of [main, second]) chart.on("click", ({ data }) => data?.trial !== undefined && study.open(data.trial));
  const row = () => (found?.y ? found.xs.length : undefined);
  for (const { chart } of [main, second]) walk(chart.getDom(), chart, null, { thing: "place", key: (one) => one?.place, row });
  let shape = "";
  return {
    option: main.option,
    doubt: second.option,
    /** It takes a while, of large studies some seconds. */
    wait() {
      if (!found) words.textContent = "A Gaussian process is being fitted to the trials…";
    },
    /** @param {Belief} next */
    set(next) {
      found = next;
      const now = `${next.x.name} ${next.y?.name}`;
      if (now !== shape) for (const { chart } of [main, second]) chart.clear(); // a line is no map's past
      shape = now;
      element.hidden = next.xs.length === 0;
      doubts.hidden = next.y === null || next.xs.length === 0;
      words.textContent = told(next);
      main.draw();
      second.draw();
    },
  };
}

/** @param {Belief} found */
function told(found) {
  if (!found.xs.length) return "Three trials with a value are needed before anything can be believed.";
  const held = Object.entries(found.others).map(([name, value]) => `${name} ${shownParam(value)}`).join(", ");
  const band = found.y ? "Left the mean, right the deviation: where it is large, little is known." : "The band is one deviation on each side.";
  const beyond = found.y ? 0 : found.items.length - near(found).length;
  const left = beyond ? `${beyond} ${beyond === 1 ? "lies" : "lie"} far beyond the chart.` : "";
  return [`${band} The other parameters are held as the best trial, ${found.best}, has them${held ? `: ${held}` : ""}. Dots are trials, whatever their other parameters; of bad values the model sees the order of magnitude, of hopeless ones no more.`, left, found.note].filter(Boolean).join(" ");
}

/** An axis for a parameter's values. @param {Axis} one @param {unknown[]} values @param {object} more */
function paramAxis(one, values, more) {
  const looks = { name: one.name, nameLocation: "middle", nameGap: 28, axisLabel: { color: token("--muted"), formatter: (value) => shownParam(value), hideOverlap: true }, ...more };
  if (one.type === "categorical") return axis({ type: "category", data: values.map(String), ...looks });
  return axis({ type: one.log ? "log" : "value", min: values[0], max: values.at(-1), ...looks });
}

const place = (one, value) => (one.type === "categorical" ? String(value) : value);
const said = (found, one) => `trial ${one.number}, ${one.state}\n${found.metric ?? "value"}  ${shown(one.value)}\n${[found.x, found.y].filter(Boolean).map(({ name }) => `${name}  ${shownParam(one.params[name])}`).join("\n")}`;

/** The trials that a line's chart has room for: hopeless ones would flatten it. @param {Belief} found */
function near({ mean, deviation, items }) {
  const ends = mean.flatMap((value, i) => [value - deviation[i], value + deviation[i]]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const reach = high - low || 1;
  return items.filter((one) => one.value >= low - reach && one.value <= high + reach);
}

/** @param {Belief} found */
function line(found) {
  const { x, xs, mean, deviation } = found;
  const at = xs.map((value) => place(x, value));
  const isChoice = x.type === "categorical";
  const around = at.map((value, i) => [value, mean[i] - deviation[i], mean[i] + deviation[i]]);
  return {
    grid: { left: 64, right: 24, top: 36, bottom: 48 },
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data.words ?? "" }),
    xAxis: paramAxis(x, xs, {}),
    yAxis: axis({ type: "value", scale: true, name: axisName(found.metric, found.direction), nameTextStyle: { color: token("--muted"), align: "left", padding: [0, 0, 0, -50] }, axisLabel: { color: token("--muted"), formatter: shown } }),
    series: [
      { id: "band", type: "custom", silent: true, clip: true, renderItem: isChoice ? whisker : band(around), encode: { x: 0, y: [1, 2] }, data: around },
      { id: "mean", type: isChoice ? "scatter" : "line", symbol: isChoice ? "diamond" : "none", symbolSize: 14, itemStyle: { color: token("--accent") }, lineStyle: { color: token("--accent"), width: 2 }, data: at.map((value, i) => ({ value: [value, mean[i]], place: i, words: `${x.name}  ${shownParam(value)}\nexpected  ${shown(mean[i])} ± ${shown(deviation[i])}` })), z: 3 },
      dots(found, near(found), (one) => [place(x, one.params[x.name]), one.value]),
    ],
  };
}

function dots(found, items, at) {
  return {
    id: "trials", type: "scatter", symbolSize: 7, z: 4,
    itemStyle: { color: token("--raised"), borderColor: token("--ink"), borderWidth: 1.5, opacity: 0.8 },
    data: items.map((one) => ({ value: at(one), trial: one.number, words: said(found, one) })),
  };
}

/** The piece of the band between one point and the next. @param {any[][]} around */
const band = (around) => (params, api) => {
  const [[x, low, high], next] = [around[params.dataIndex], around[params.dataIndex + 1]];
  if (!next) return undefined;
  const points = [api.coord([x, low]), api.coord([x, high]), api.coord([next[0], next[2]]), api.coord([next[0], next[1]])];
  return { type: "polygon", shape: { points }, style: { fill: token("--accent"), opacity: 0.18 } };
};

/** One deviation to both sides of a choice's mean. */
function whisker(_params, api) {
  const [x, y1] = api.coord([api.value(0), api.value(1)]);
  const [, y2] = api.coord([api.value(0), api.value(2)]);
  return { type: "line", shape: { x1: x, y1, x2: x, y2 }, style: { stroke: token("--accent"), lineWidth: 6, opacity: 0.3 } };
}

/** @param {Belief} found @param {"mean"|"deviation"} which */
function map(found, which) {
  const { x, y, xs, ys } = found;
  const values = found[which].flat();
  const good = which === "mean" && found.direction === "minimize";
  const colours = [token("--accent"), token("--raised")];
  const words = which === "mean" ? "expected" : "deviation";
  const cells = found[which].flatMap((row, j) => row.map((value, i) => ({
    value: [i, j, value],
    place: j * xs.length + i,
    words: `${x.name}  ${shownParam(xs[i])}\n${y.name}  ${shownParam(ys[j])}\n${words}  ${shown(value)}`,
  })));
  const label = { color: token("--muted"), hideOverlap: true };
  const named = (list) => list.map((value) => shownParam(value));
  const index = (list, one, value) => (one.type === "categorical" ? list.findIndex((each) => each === value) : nearest(list, one, value));
  return {
    title: { text: which === "mean" ? axisName(found.metric, found.direction) : "deviation", left: 56, top: 0, textStyle: { color: token("--muted"), fontSize: 12, fontWeight: 400 } },
    grid: { left: 72, right: 84, top: 28, bottom: 48 },
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data.words ?? "" }),
    xAxis: axis({ type: "category", data: named(xs), name: x.name, nameLocation: "middle", nameGap: 28, axisLabel: label, splitLine: { show: false } }),
    yAxis: axis({ type: "category", data: named(ys), name: y.name, nameLocation: "middle", nameGap: 48, axisLabel: label, splitLine: { show: false } }),
    visualMap: { min: Math.min(...values), max: Math.max(...values), right: 0, top: "middle", itemHeight: 120, itemWidth: 12, seriesIndex: 0, text: [shown(Math.max(...values)), shown(Math.min(...values))], formatter: shown, textStyle: { color: token("--muted"), fontSize: 12 }, inRange: { color: good ? colours : [...colours].reverse() } },
    series: [
      { id: "map", type: "heatmap", data: cells, emphasis: { disabled: true }, progressive: 0 },
      dots(found, found.items, (one) => [index(xs, x, one.params[x.name]), index(ys, y, one.params[y.name])]),
    ],
  };
}

/** The place of a number among the cells. @param {any[]} list @param {Axis} one @param {number} value */
function nearest(list, one, value) {
  const scaled = (number) => (one.log ? Math.log(number) : number);
  const [low, high] = [scaled(list[0]), scaled(list.at(-1))];
  return high === low ? 0 : Math.round(((scaled(value) - low) / (high - low)) * (list.length - 1));
}
