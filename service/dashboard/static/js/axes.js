// A parameter as an axis: numbers on their own scale, choices one after another, in the order in which they were written.

import { axis, shown, token } from "./charts.js";

/**
 * A parameter as the API's figures tell of it.
 * @typedef {{name: string, type: "float"|"int"|"categorical", low?: number, high?: number, log?: boolean,
 *   choices?: (string|number|boolean|null)[], edges?: number[]}} Parameter
 */

const MOST = 8; // labels of choices on an axis

/** @param {string} text @param {number} most @returns {string} */
export const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/**
 * Where a value stands on its parameter's axis: a number itself, a choice by its place.
 * @param {Parameter} parameter @param {unknown} value @returns {number|null} null where it has none
 */
export function place(parameter, value) {
  if (value === undefined) return null;
  if (parameter.type !== "categorical") return /** @type {number} */ (value);
  const at = parameter.choices.indexOf(/** @type {any} */ (value));
  return at < 0 ? null : at;
}

/**
 * The axis of a parameter, as ECharts takes it, at the edge of its chart.
 * @param {Parameter} parameter @param {object} own what else the axis says @param {number} [room] characters of a label
 * @returns {object}
 */
export function paramAxis(parameter, own, room = 12) {
  const { type, choices, log, edges } = parameter;
  const axisLine = { onZero: false, lineStyle: { color: token("--line") } };
  const label = { color: token("--muted"), hideOverlap: true };
  if (type === "categorical") {
    const every = Math.ceil(choices.length / MOST);
    const customValues = choices.map((_, at) => at).filter((at) => at % every === 0);
    const formatter = (at) => cut(String(choices[at] ?? ""), room);
    return axis({ type: "value", min: -0.5, max: choices.length - 0.5, axisLine, axisLabel: { ...label, formatter, customValues }, ...own });
  }
  const [low, high] = edges ? [edges[0], edges.at(-1)] : [parameter.low, parameter.high];
  const formatter = type === "int" ? (at) => (Number.isInteger(at) ? shown(at) : "") : shown;
  return axis({ type: log ? "log" : "value", min: low, max: high, minInterval: type === "int" ? 1 : undefined, splitNumber: 4, axisLine,
    axisLabel: { ...label, formatter }, ...own });
}

/**
 * A chart whose axes become those of other parameters begins anew: ECharts would merge the old axes into the new ones.
 * @param {() => {clear: () => void}} chart @returns {(...layout: unknown[]) => void} says what the axes are about to be
 */
export function layouts(chart) {
  let before = "";
  return (...layout) => {
    const now = JSON.stringify(layout);
    if (before && now !== before) chart().clear();
    before = now;
  };
}
