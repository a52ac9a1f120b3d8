// What all charts share: numbers as the API spells them, colours from the page's tokens, axes that say what they show.

import { recall, remember } from "./address.js";

/** The states of a trial: the token of the colour, the shape, and the symbol that ECharts draws. */
export const STATES = {
  running: { token: "--running", shape: "●", symbol: "circle" },
  complete: { token: "--complete", shape: "✓", symbol: "circle" },
  pruned: { token: "--pruned", shape: "◐", symbol: "circle", hollow: true },
  failed: { token: "--failed", shape: "✕", symbol: "path://M0 0L10 10M10 0L0 10", stroked: true },
  paused: { token: "--paused", shape: "‖", symbol: "circle", hollow: true },
  waiting: { token: "--waiting", shape: "○", symbol: "circle", hollow: true },
  cancelled: { token: "--cancelled", shape: "–", symbol: "circle", hollow: true },
};

/** Okabe and Ito's colours, told apart by all kinds of sight; black and yellow left out, which vanish on one ground. */
export const SERIES = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#8a6bd1", "#7a7f2a"];

/** @param {string} name a CSS custom property @returns {string} its value in the theme of now */
export function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** @param {number|string|null|undefined} value as the API spells it @returns {number|null} */
export function number(value) {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return value;
  return { nan: NaN, inf: Infinity, "-inf": -Infinity }[value] ?? Number(value);
}

/** @param {number|string|null|undefined} value @returns {string} four significant digits, without idle zeros */
export function shown(value) {
  const found = number(value);
  if (found === null) return "–";
  if (!Number.isFinite(found)) return Number.isNaN(found) ? "nan" : found > 0 ? "inf" : "-inf";
  if (Number.isInteger(found) && Math.abs(found) < 1e6) return String(found);
  const size = Math.abs(found);
  if (size < 1e-4 || size >= 1e6) return found.toExponential(3).replace(/\.?0+e/, "e");
  return String(Number(found.toPrecision(4)));
}

/** @param {unknown} value a parameter's @returns {string} */
export function shownParam(value) {
  return typeof value === "number" ? shown(value) : String(value);
}

/** @param {Record<string, unknown>} params @returns {string} one line for each */
export function paramLines(params) {
  return Object.entries(params).map(([name, value]) => `${name}  ${shownParam(value)}`).join("\n");
}

/** @param {string|null} metric @param {string|null} direction @returns {string} */
export function axisName(metric, direction) {
  const wish = direction === "maximize" ? "higher is better" : "lower is better";
  return direction ? `${metric ?? "value"}, ${wish}` : (metric ?? "value");
}

/**
 * Whether a log axis fits: all positive, over two decades or more.
 * @param {number[]} values @param {number} [ratio] of the largest to the least, from which one does @returns {boolean}
 */
export function spansDecades(values, ratio = 100) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > 0 && high / low >= ratio;
}

/** The parts of an axis that are the same everywhere. @param {Record<string, unknown>} own @returns {object} */
export function axis(own) {
  return {
    nameTextStyle: { color: token("--muted"), fontSize: 12 },
    axisLabel: { color: token("--muted"), hideOverlap: true },
    axisLine: { lineStyle: { color: token("--line") } },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: token("--line"), opacity: 0.6 } },
    ...own,
  };
}

/** How the marks of a state are filled: hollow ones show the ground. @param {string} state @returns {object} */
export function marks(state) {
  const { token: name, hollow, stroked } = STATES[state];
  const border = hollow || stroked ? 2 : 0; // a cross is nothing but its stroke
  return { color: token(hollow ? "--raised" : name), borderColor: token(name), borderWidth: border };
}

/**
 * The switch of a chart between a linear and a log axis; untouched, the axis is what fits the values.
 * @param {HTMLInputElement|null} box @param {() => void} changed
 * @param {string} [key] under which the choice stands in the address
 * @param {(values: number[]) => boolean} [fits] whether a log axis fits values
 * @returns {(values: number[]) => boolean} whether log
 */
export function logSwitch(box, changed, key, fits = spansDecades) {
  const kept = key === undefined ? null : recall(key);
  let chosen = kept === null ? null : kept === "1";
  box?.addEventListener("change", () => {
    chosen = box.checked;
    if (key !== undefined) remember(key, chosen ? "1" : "0");
    changed();
  });
  return (values) => {
    const log = chosen ?? fits(values);
    if (box) box.checked = log;
    return log;
  };
}

/** A value axis, named above itself. @param {string} name @param {boolean} log */
export function valueAxis(name, log) {
  return axis({
    type: log ? "log" : "value",
    name: log ? `${name} (log scale)` : name,
    nameLocation: "end",
    nameGap: 14,
    scale: true,
    nameTextStyle: { color: token("--muted"), fontSize: 12, align: "left", padding: [0, 0, 0, -44] },
    axisLabel: { color: token("--muted"), formatter: shown, hideOverlap: true },
  });
}

/** Tooltips drawn on the canvas: HTML ones write inline styles, which the page's policy forbids. */
export function tooltip(own) {
  return {
    renderMode: "richText",
    confine: true,
    backgroundColor: token("--raised"),
    borderColor: token("--line"),
    borderWidth: 1,
    padding: [8, 12],
    textStyle: { color: token("--ink"), fontSize: 12, lineHeight: 18 },
    ...own,
  };
}

/**
 * A chart that follows the size of its element and the theme of the page.
 * @param {HTMLElement} element
 * @param {() => object} option the whole chart, with the colours of now
 * @returns {{chart: object, draw: () => void, option: () => object}} `draw` puts off work to the next frame, however
 *   often it is called; `option` is what was given, for a still picture (see figure_tools.js)
 */
export function mount(element, option) {
  const chart = echarts.init(element, null, { renderer: "canvas" });
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const fonts = { fontFamily: "system-ui, sans-serif" };
  const base = { animation: !still, animationDuration: 200, animationDurationUpdate: 250, textStyle: fonts };
  let asked = 0;
  const draw = () => {
    if (asked) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      chart.setOption({ ...base, ...option() }, { replaceMerge: ["series", "parallelAxis"] });
    });
  };
  window.addEventListener("beforeprint", () => { // theme.js has made the page light; no frame comes before the paper
    chart.setOption({ ...base, ...option(), animation: false }, { replaceMerge: ["series", "parallelAxis"] });
    chart.getZr().flush();
  });
  new ResizeObserver(() => {
    chart.resize();
    draw();
  }).observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new MutationObserver(draw).observe(document.documentElement, { attributes: true });
  return { chart, draw, option };
}
