// Curves as plain values: which trials are worth drawing, the points of a line, its best step, and how far validation is
// from train there. Knows no chart.

import { number } from "./charts.js";

/** How many of the best and how many of the latest trials are drawn where nothing else is chosen. */
export const BEST = 4;
export const LATEST = 4;

/**
 * `seconds`: since the trial's start, of each step; null where that is not known
 * @typedef {{number: number, state: string, value: number|string|null, reason?: string|null, steps: number[],
 *   seconds?: (number|null)[], values: Record<string, (number|string|null)[]>}} Curve
 */

/**
 * The trials worth drawing: the best complete ones and the latest that have begun.
 * @param {{number: number, state: string, value: number|string|null}[]} items by number
 * @param {string} direction @returns {number[]}
 */
export function choose(items, direction) {
  const complete = items.filter((one) => one.state === "complete" && Number.isFinite(number(one.value)));
  const best = complete.sort(bestFirst(direction)).slice(0, BEST);
  const begun = items.filter((one) => one.state !== "waiting").slice(-LATEST);
  return [...new Set([...best, ...begun].map((one) => one.number))].sort((a, b) => a - b);
}

/** An order of trials: complete ones by value, then the others, each by number. @param {string|null} direction */
export const bestFirst = (direction) => (a, b) => rank(a, direction) - rank(b, direction) || a.number - b.number;

function rank({ state, value }, direction) {
  const found = number(value);
  if (state !== "complete" || !Number.isFinite(found)) return Number.MAX_VALUE;
  return direction === "maximize" ? -found : found;
}

/**
 * The train metric beside a validation one, where there is one.
 * @param {string} metric @param {string[]} known @returns {string|undefined}
 */
export function trainOf(metric, known) {
  return mayBeTrain(metric).find((name) => known.includes(name));
}

/** What the train metric beside a validation one may be called. @param {string} metric @returns {string[]} */
export function mayBeTrain(metric) {
  const rest = metric.replace(/^(val|valid|validation|test)_/, "");
  return [`train_${rest}`, `training_${rest}`].filter((name) => name !== metric);
}

/** Metrics to choose from: those that are no train counterpart of another. @param {string[]} known */
export function choices(known) {
  const trains = new Set(known.map((name) => trainOf(name, known)).filter(Boolean));
  return known.filter((name) => !trains.has(name));
}

/**
 * Put a step in its place, over one that is there: after a resume steps come again.
 * @param {Curve} curve @param {{step: number, metrics: Record<string, number|string>}} report
 */
export function put(curve, { step, metrics }) {
  let at = curve.steps.length;
  while (at > 0 && curve.steps[at - 1] >= step) at -= 1;
  const isNew = curve.steps[at] !== step;
  if (isNew) curve.steps.splice(at, 0, step);
  curve.seconds?.splice(at, isNew ? 0 : 1, null); // events don't tell when
  for (const name of new Set([...Object.keys(curve.values), ...Object.keys(metrics)])) {
    curve.values[name] ??= Array(curve.steps.length - (isNew ? 1 : 0)).fill(null);
    curve.values[name].splice(at, isNew ? 0 : 1, metrics[name] ?? null);
  }
}

/**
 * What of a curve can be drawn.
 * @param {Curve} curve @param {string|undefined} metric
 * @param {{x?: "step"|"seconds", log?: boolean, logX?: boolean}} view log axes leave out what isn't positive
 * @returns {{at: number[], step: number}[]} `at`: x and y
 */
export function points(curve, metric, { x = "step", log = false, logX = false } = {}) {
  const found = [];
  curve.steps.forEach((step, i) => {
    const along = x === "step" ? step : (curve.seconds?.[i] ?? null);
    const value = number(curve.values[metric]?.[i]);
    if (along === null || value === null || !Number.isFinite(value)) return;
    if ((log && value <= 0) || (logX && along <= 0)) return;
    found.push({ at: [along, value], step });
  });
  return found;
}

/** The best of some points. @param {{at: number[], step: number}[]} found @param {string|null} direction */
export function topPoint(found, direction) {
  const sign = direction === "maximize" ? -1 : 1;
  return found.length ? found.reduce((a, b) => (sign * (b.at[1] - a.at[1]) < 0 ? b : a)) : undefined;
}

/**
 * Train and validation of a trial at its best step, that of the best validation.
 * @param {Curve} curve @param {string} metric @param {string} train @param {string|null} direction
 * @returns {{number: number, state: string, step: number, validation: number, train: number}|null}
 */
export function gapOf(curve, metric, train, direction) {
  const trains = new Map(points(curve, train).map(({ at, step }) => [step, at[1]]));
  const both = points(curve, metric).filter(({ step }) => trains.has(step));
  const top = topPoint(both, direction);
  return top ? { number: curve.number, state: curve.state, step: top.step, validation: top.at[1], train: trains.get(top.step) } : null;
}

/** Over- and underfitting begin where one error is so many times another. */
export const TIMES = 2;

/**
 * Whether a trial fits too closely or too little, judged by errors: values to be minimised, or what a share to be
 * maximised (an accuracy) lacks to one. Nothing is said of other values.
 * @param {{validation: number, train: number}} gap @param {number} best the best validation of all trials that are seen
 * @param {string|null} direction @returns {"overfitting"|"underfitting"|"balanced"|null}
 */
export function verdict(gap, best, direction) {
  const [validation, train, reached] = [gap.validation, gap.train, best].map((one) => errorOf(one, direction));
  if (validation === null || train === null || reached === null) return null;
  if (validation > TIMES * train) return "overfitting";
  return train > TIMES * reached ? "underfitting" : "balanced";
}

/** @param {number} value @param {string|null} direction @returns {number|null} */
export function errorOf(value, direction) {
  if (direction === "maximize") return value >= 0 && value <= 1 ? 1 - value : null;
  return direction === "minimize" && value >= 0 ? value : null;
}
