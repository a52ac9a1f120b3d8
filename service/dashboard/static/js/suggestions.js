// How a sampler came to its suggestions: the mode of each trial, and what it expected against what was observed.

import { STATES, axis, axisName, logSwitch, mount, number, shown, spansDecades, token, tooltip, valueAxis } from "./charts.js";
import { walk } from "./walk.js";

/**
 * @typedef {{number: number, state: string, value: number|string|null, mode: string, seen: number|null,
 *   reason: string|null, predicted: number|null, deviation: number|null}} Item
 * @typedef {{sampler: string, metric: string|null, direction: string, modes: Record<string, number>, items: Item[],
 *   calibration: {predictions: number, within: Record<string, number>}, note?: string}} Suggestions
 */

/** What a mode is called on its line, and in a sentence. */
const MODES = {
  startup: ["first points", "first points (the middle of all ranges, then some that spread evenly)"],
  model: ["the model", "by the model"],
  fallback: ["at random instead", "at random, since the model failed"],
  cell: ["grid", "cells of the grid"],
  random: ["at random", "at random"],
  sobol: ["Sobol", "of a Sobol sequence"],
  drawn: ["drawn", "drawn without a model"],
  given: ["by hand", "given by hand"],
};
const named = (mode) => MODES[mode] ?? [mode, `by ${mode}`];

/** @param {HTMLElement} panel @param {{open: (number: number) => void}} study */
export function createModes(panel, study) {
  /** @type {Suggestions|null} */
  let found = null;
  const { chart, draw, option } = mount(panel.querySelector("#modes"), () => (found ? lanes(found) : {}));
  chart.on("click", ({ data }) => data?.trial !== undefined && study.open(data.trial));
  walk(panel.querySelector("#modes"), chart, study.open);
  return {
    option,
    /** @param {Suggestions} next */
    set(next) {
      found = next;
      const parts = Object.entries(next.modes).map(([mode, count]) => `${count.toLocaleString("en")} ${named(mode)[1]}`);
      const reasons = [...new Set(next.items.filter((one) => one.mode === "fallback").map((one) => one.reason))];
      panel.querySelector("#modes-words").textContent = parts.join(", ");
      panel.querySelector("#modes-note").textContent = [next.note, ...reasons.slice(-1).map((one) => `Last failure: ${one}`)].filter(Boolean).join(" · ");
      /** @type {HTMLElement} */ (panel.querySelector("#modes-empty")).hidden = next.items.length > 0;
      draw();
    },
  };
}

/** @param {Suggestions} found */
function lanes(found) {
  const names = Object.keys(found.modes);
  const colour = (mode) => token(mode === "fallback" ? "--failed" : mode === "model" ? "--accent" : "--train");
  return {
    grid: { left: 128, right: 20, top: 12, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data.words }),
    xAxis: axis({ type: "value", name: "trial", nameLocation: "middle", nameGap: 26, minInterval: 1, min: "dataMin", max: "dataMax" }),
    yAxis: axis({ type: "category", data: names.map((one) => named(one)[0]), inverse: true }),
    series: names.map((mode) => ({
      id: mode,
      type: "scatter",
      symbol: mode === "fallback" ? STATES.failed.symbol : mode === "model" ? "circle" : "rect",
      symbolSize: 8,
      itemStyle: { color: colour(mode), borderColor: colour(mode), borderWidth: mode === "fallback" ? 2 : 0, opacity: 0.8 },
      data: found.items.filter((one) => one.mode === mode).map((one) => ({
        value: [one.number, named(mode)[0]],
        trial: one.number,
        words: [`trial ${one.number}: ${named(mode)[1]}`, one.seen === null ? "" : `after ${one.seen} finished trials`, one.reason ?? ""].filter(Boolean).join("\n"),
      })),
    })),
  };
}

/** @param {HTMLElement} panel @param {{metric: string|null, open: (number: number) => void}} study */
export function createCalibration(panel, study) {
  /** @type {Suggestions|null} */
  let found = null;
  const element = /** @type {HTMLElement} */ (panel.querySelector("#calibration"));
  const words = panel.querySelector("#calibration-words");
  const { chart, draw, option } = mount(element, () => (found ? against(found, isLog) : {}));
  // From one decade on: a single diverged trial would push all others into the corner.
  const isLog = logSwitch(panel.querySelector("[name=log-expected]"), () => draw(), "log-expected", (values) => spansDecades(values, 10));
  chart.on("click", ({ data }) => data?.trial !== undefined && study.open(data.trial));
  walk(element, chart, study.open);
  return {
    option,
    /** @param {Suggestions} next */
    set(next) {
      found = next;
      const { predictions, within } = next.calibration;
      element.hidden = predictions === 0;
      words.textContent = predictions ? judged(predictions, within) : unpredicted(next);
      if (predictions) draw();
    },
  };
}

/** @param {number} count @param {Record<string, number>} within */
function judged(count, within) {
  const share = within["1"] / count;
  const told = `Of ${count} ${count === 1 ? "prediction" : "predictions"}, ${within["1"]} fell within one deviation and ${within["2"]} within two; of a model that knows what it does not know, 68 % and 95 % do.`;
  if (count < 10) return told;
  if (share < 0.45) return `${told} This one is surer of itself than it should be: the trials may be noisy, or the landscape rough.`;
  return share > 0.9 ? `${told} This one is more careful than it need be.` : told;
}

/** @param {Suggestions} found */
function unpredicted({ sampler, items }) {
  if (sampler === "gp") return items.length ? "No trial that the model predicted is complete yet: the first ones spread evenly, before it knows enough." : "";
  return `The sampler ${sampler} predicts no values, so there is nothing to compare.`;
}

/** @param {Suggestions} found @param {(values: number[]) => boolean} isLog */
function against(found, isLog) {
  const items = found.items.filter((one) => one.predicted !== null && one.state === "complete" && Number.isFinite(number(one.value)));
  const positive = items.filter((one) => places(one).every((value) => value > 0));
  const log = isLog(items.flatMap(places)) && positive.length > 0;
  const drawn = log ? positive : items;
  const points = drawn.map((one) => ({
    value: [...places(one), one.deviation],
    trial: one.number,
    words: `trial ${one.number}\nexpected ${shown(one.predicted)} ± ${shown(one.deviation)}\nobserved ${shown(one.value)}`,
  }));
  const [low, high] = reach(drawn.flatMap(places), log);
  const name = found.metric ?? "value";
  const same = { min: low, max: high, axisLabel: { color: token("--muted"), formatter: shown, hideOverlap: true, showMinLabel: false, showMaxLabel: false } };
  const line = { color: token("--muted"), width: 1, type: "dashed" };
  return {
    grid: { left: 72, right: 24, top: 36, bottom: 48 },
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data.words ?? "" }),
    xAxis: { ...valueAxis(`${name} expected`, log), nameLocation: "middle", nameGap: 28, nameTextStyle: { color: token("--muted"), fontSize: 12 }, ...same },
    yAxis: { ...valueAxis(axisName(`${name} observed`, found.direction), log), ...same },
    graphic: [corner("worse", "worse than expected", found), corner("better", "better than expected", found)],
    series: [
      { id: "right", type: "line", data: [], silent: true, markLine: { silent: true, symbol: "none", animation: false, lineStyle: line,
        label: { formatter: "as expected", position: "insideEndTop", color: token("--muted"), fontSize: 12 },
        data: [[{ coord: [low, low] }, { coord: [high, high] }]] } },
      { id: "deviation", type: "custom", silent: true, clip: true, renderItem: bar(low), encode: { x: 0, y: 1 }, data: points.map((one) => one.value), z: 1 },
      { id: "points", type: "scatter", symbolSize: 9, itemStyle: { color: token("--accent"), opacity: 0.85 }, data: points, z: 2 },
    ],
  };
}

/** @param {Item} one @returns {number[]} */
const places = (one) => [one.predicted, number(one.value)];

/** From where to where both axes go: all values and some room. @param {number[]} values @param {boolean} log */
function reach(values, log) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (log) return [low / (high / low) ** 0.05, high * (high / low) ** 0.05];
  const room = 0.05 * (high - low) || Math.abs(low) || 1;
  return [low - room, high + room];
}

/** What it means to lie on that side of the line. @param {string} id @param {string} text @param {Suggestions} found */
function corner(id, text, { direction }) {
  const isAbove = (id === "worse") === (direction !== "maximize");
  const place = isAbove ? { left: 84, top: 44 } : { right: 32, bottom: 56 };
  return { id, type: "text", silent: true, z: 0, ...place, style: { text, fill: token("--muted"), font: "12px system-ui, sans-serif" } };
}

/** One deviation to the left and to the right of what was expected; a log axis has no room below 0. */
const bar = (low) => (_params, api) => {
  const [at, value, deviation] = [api.value(0), api.value(1), api.value(2)];
  const [x1, y] = api.coord([Math.max(low, at - deviation), value]);
  const [x2] = api.coord([at + deviation, value]);
  return { type: "line", shape: { x1, y1: y, x2, y2: y }, style: { stroke: token("--train"), lineWidth: 1, opacity: 0.45 } };
};
