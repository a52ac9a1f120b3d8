// Parallel coordinates: a line for each trial over its parameters to its value; brush an axis to pick trials out.

import { cut } from "./axes.js";
import { mount, number, shown, spansDecades, token, tooltip } from "./charts.js";
import { walk } from "./walk.js";

const NARROW = 620; // pixels: below, the axes lie on top of each other

/**
 * @param {HTMLElement} element
 * @param {{open: (number: number) => void, picked: (numbers: number[]|null) => void}} study
 */
export function createParallel(element, study) {
  let found = { axes: [], items: [], metric: null, direction: null };
  /** @type {string[]} */
  let order = [];
  /** @type {Set<number>|null} */
  let picks = null;
  const rank = (axis) => (order.includes(axis.name) ? order.indexOf(axis.name) : order.length);
  const sorted = () => ({ ...found, axes: [...found.axes].sort((a, b) => rank(a) - rank(b)) });
  const { chart, draw, option } = mount(element, () => whole(sorted(), element.clientWidth, picks));
  chart.on("click", (event) => {
    const trial = event.data?.trial;
    if (trial !== undefined) study.open(trial);
  });
  walk(element, chart, study.open);
  chart.on("axisareaselected", () => {
    const series = chart.getModel().getSeriesByIndex(0);
    const active = series.getRawIndicesByActiveState("active");
    const inactive = series.getRawIndicesByActiveState("inactive");
    study.picked(inactive.length ? active.map((at) => series.option.data[at].trial) : null);
  });
  return {
    chart,
    option,
    /** @param {object} data the API's analysis `parallel` @param {string[]} names the parameters in the order wanted */
    set(data, names = order) {
      [found, order] = [data, names];
      draw();
    },
    /** @param {string[]} names the parameters in the order wanted; those left out come last */
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

function whole(found, width, picks) {
  const narrow = width < NARROW;
  const values = found.items.map((one) => one.value);
  const last = { type: spansDecades(values) ? "log" : "value", name: `${found.metric ?? "value"} ${found.direction === "maximize" ? "↑" : "↓"}`, scale: true };
  const axes = [...found.axes.map(ofParameter), last];
  return {
    parallel: {
      layout: narrow ? "vertical" : "horizontal",
      left: narrow ? 32 : 48, right: narrow ? 32 : 72, top: narrow ? 40 : 40, bottom: narrow ? 28 : 16,
      parallelAxisDefault: {
        nameLocation: narrow ? "start" : "end",
        nameGap: 16,
        nameTextStyle: { color: token("--ink"), fontSize: 12, ...(narrow ? { align: "left", verticalAlign: "bottom", padding: [0, 0, 8, 12] } : {}) },
        axisLabel: { color: token("--ink"), formatter: label, hideOverlap: true, backgroundColor: token("--raised"), padding: [1, 3], borderRadius: 3 },
        axisLine: { lineStyle: { color: token("--muted") } },
        axisTick: { lineStyle: { color: token("--line") } },
        areaSelectStyle: { color: token("--accent"), borderColor: token("--accent"), opacity: 0.25, width: 18 },
      },
    },
    parallelAxis: axes.map((one, dim) => ({ ...one, id: `${dim} ${one.name}`, dim, name: cut(one.name, narrow ? 40 : 26) })),
    tooltip: tooltip({ trigger: "item", formatter: (at) => at.data?.words ?? "" }),
    series: [{
      id: "trials", type: "parallel", smooth: 0.15, inactiveOpacity: 0.04, activeOpacity: 1,
      emphasis: { lineStyle: { width: 3, opacity: 1 } },
      data: lines(found, picks),
    }],
  };
}

function ofParameter(one) {
  if (one.type === "categorical") return { type: "category", name: one.name, data: one.choices.map(String) };
  return { type: one.log ? "log" : "value", name: one.name, min: one.low, max: one.high, minInterval: one.type === "int" ? 1 : undefined };
}

const label = (value) => (typeof value === "number" ? shown(value) : cut(String(value), 14));

/** The best tenth stands out over the others, and is drawn last. */
function lines({ axes, items, direction }, picks) {
  const sign = direction === "maximize" ? -1 : 1;
  const ranked = [...items].sort((a, b) => sign * (b.value - a.value));
  const good = new Set(ranked.filter((one) => one.state === "complete").slice(-Math.max(1, Math.round(ranked.length / 10))));
  return ranked.map((one) => ({
    value: [...axes.map((axis) => point(axis, one.params[axis.name])), one.value],
    trial: one.number,
    words: words(one, axes),
    lineStyle: { ...(good.has(one) ? { color: token("--accent"), width: 2.5 } : { color: token("--muted"), width: 1 }),
      opacity: picks && !picks.has(one.number) ? 0.04 : good.has(one) ? 0.95 : 0.35 },
  }));
}

function point(axis, value) {
  if (value === undefined || value === null) return "-";
  return axis.type === "categorical" ? String(value) : number(value);
}

function words(one, axes) {
  const params = axes.filter((axis) => axis.name in one.params).map((axis) => `${axis.name}  ${label(one.params[axis.name])}`);
  return `trial ${one.number}   ${shown(one.value)}\n${params.join("\n")}`;
}
