// How much each parameter explains: a bar for each, its interval over it, the largest first; and the same in words.

import { cut } from "./axes.js";
import { axis, mount, token, tooltip } from "./charts.js";
import { walk } from "./walk.js";

const MOST = 20; // bars
const ROW = 30; // pixels of a bar
const SAYS = {
  fanova: { verb: "explains", of: "of the differences between trials" },
  "ped-anova": { verb: "makes up", of: "of what sets the best tenth apart" },
};

/**
 * The API's analysis `importance`.
 * @typedef {{name: string, share: number, low: number, high: number, trials: number}} Share
 * @typedef {{method: "fanova"|"ped-anova", needed: number, complete: number, constant: boolean, rest: number|null,
 *   items: Share[]}} Importance
 */

/** @param {number} share @returns {string} */
const percent = (share) => (share > 0 && share < 0.01 ? "<1" : String(Math.round(100 * share)));
/** @param {Share} one @returns {string} */
const figures = (one) => `${percent(one.share)} % (${percent(one.low)} to ${percent(one.high)})`;

/**
 * @param {HTMLElement} element
 * @param {{chosen: (name: string) => void}} page `chosen`: a parameter's bar was clicked
 */
export function createImportance(element, page) {
  /** @type {Importance|null} */
  let found = null;
  const { chart, draw, option } = mount(element, () => whole(found, element.clientWidth));
  chart.on("click", (event) => event.data?.name !== undefined && page.chosen(event.data.name));
  const choose = (place) => found?.items[place] && page.chosen(found.items[place].name);
  walk(element, chart, choose, { thing: "parameter", key: (one, place) => (one?.words ? place : undefined) });
  return {
    chart,
    option,
    /** @param {Importance} data */
    set(data) {
      found = data;
      element.style.height = `${44 + ROW * rows(data).length}px`;
      draw();
    },
  };
}

/** What the chart shows in a sentence, or what is missing. @param {Importance} found @returns {string} */
export function importanceWords(found) {
  const { verb, of } = SAYS[found.method];
  const [first, second] = found.items;
  if (first) return `${first.name} ${verb} ${figures(first)} ${of}${second ? `, ${second.name} ${figures(second)}` : ""}.`;
  if (found.constant) return "All complete trials have the same value: there are no differences to explain.";
  const missing = found.needed - found.complete;
  return `Which parameters matter is told from ${found.needed} complete trials on: ${missing} more to go.`;
}

/** The rows of a table of the same. @param {Importance} found @returns {string[][]} */
export const importanceRows = (found) => found.items.map((one) => [one.name, `${percent(one.share)} %`, `${percent(one.low)} to ${percent(one.high)} %`, String(one.trials)]);

function rows(found) {
  const shown = found.items.slice(0, MOST).map((one) => ({ ...one, label: figures(one), words: words(one, found) }));
  if (found.rest === null) return shown;
  const said = "what only several parameters together explain, or chance";
  return [...shown, { name: "together", share: found.rest, low: found.rest, high: found.rest, label: `${percent(found.rest)} %`, words: said, isRest: true }];
}

function words(one, found) {
  const { verb, of } = SAYS[found.method];
  const where = one.trials < found.complete ? `\namong the ${one.trials} trials in which it is active` : "";
  return `${one.name} ${verb} ${percent(one.share)} %\n${of}${where}\nmost likely between ${percent(one.low)} and ${percent(one.high)} %`;
}

function whole(found, width) {
  const items = found ? rows(found) : [];
  const most = items.reduce((a, one) => Math.max(a, one.high), 0.1);
  return {
    grid: { left: Math.min(180, width * 0.32), right: 120, top: 8, bottom: 32 },
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data?.words ?? "" }),
    xAxis: axis({ type: "value", min: 0, max: Math.ceil(10 * Math.min(1, most)) / 10, splitNumber: width < 620 ? 2 : 5,
      axisLabel: { color: token("--muted"), hideOverlap: true, formatter: (share) => `${Math.round(100 * share)} %` } }),
    yAxis: axis({ type: "category", inverse: true, data: items.map((one) => one.name), splitLine: { show: false },
      axisLabel: { color: token("--ink"), formatter: (name) => cut(name, width < 620 ? 14 : 24) } }),
    series: [bars(items), whiskers(items.filter((one) => !one.isRest), items)],
  };
}

const bars = (items) => ({
  id: "shares", type: "bar", barWidth: 14, z: 1,
  data: items.map((one) => ({
    value: one.share, words: one.words, name: one.isRest ? undefined : one.name,
    itemStyle: { color: token(one.isRest ? "--line" : "--accent"), borderRadius: [0, 3, 3, 0] },
  })),
});

/** The intervals, with the figures after them. */
const whiskers = (items, all) => ({
  id: "intervals", type: "custom", silent: true, z: 3, clip: false,
  data: all.map((one, at) => ({ value: [one.low, at, one.high], label: one.label, isRest: one.isRest })),
  renderItem: (params, api) => {
    const one = all[params.dataIndex];
    const [from, to] = [one.low, one.high].map((share) => api.coord([share, params.dataIndex]));
    const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: token("--ink"), lineWidth: 1.5 } });
    const [x, y] = to;
    const said = { type: "text", x: x + 8, y, style: { text: one.label, fill: token("--ink"), font: "12px system-ui, sans-serif", verticalAlign: "middle" } };
    const bounds = items.includes(one) ? [line(from[0], y, x, y), line(from[0], y - 4, from[0], y + 4), line(x, y - 4, x, y + 4)] : [];
    return { type: "group", children: [...bounds, said] };
  },
});
