// Best so far over the trials: a dot for each by its state, and the best value as a step line.

import { STATES, axis, axisName, logSwitch, marks, mount, number, shown, token, tooltip, valueAxis } from "./charts.js";

/**
 * @typedef {{number: number, state: string, value: number|string|null, params?: Record<string, unknown>}} Item
 * @param {HTMLElement} element
 * @param {{metric: string|null, direction: string, open: (number: number) => void}} study
 */
export function createHistory(element, study) {
  /** @type {Map<number, Item>} */
  let items = new Map();
  const { chart, draw, option: whole } = mount(element, () => option([...items.values()].sort(byNumber), study, isLog));
  const isLog = logSwitch(document.querySelector("input[name=log-history]"), draw);
  chart.on("click", (event) => {
    if (event.data?.trial !== undefined) study.open(event.data.trial);
  });
  return {
    chart,
    option: whole,
    /** @returns {Item[]} by number */
    all: () => [...items.values()].sort(byNumber),
    /** @param {Item[]} found */
    set(found) {
      items = new Map(found.map((one) => [one.number, one]));
      draw();
    },
    /** @param {Item} trial */
    update({ number: at, state, value }) {
      items.set(at, { number: at, state, value });
      draw();
    },
  };
}

const byNumber = (a, b) => a.number - b.number;
const isFinite = (one) => Number.isFinite(number(one.value));

/** The best complete value up to each trial. @param {Item[]} items @param {string} direction @returns {number[][]} */
export function bestSoFar(items, direction) {
  const sign = direction === "maximize" ? -1 : 1;
  const steps = [];
  let best = null;
  for (const one of items) {
    const value = number(one.value);
    const better = one.state === "complete" && Number.isFinite(value) && (best === null || value * sign < best * sign);
    if (better) best = value;
    if (best !== null) steps.push([one.number, best]);
  }
  return steps;
}

function option(all, study, isLog) {
  const log = isLog(all.filter(isFinite).map((one) => number(one.value)));
  const items = all.filter((one) => !log || !(number(one.value) <= 0) || one.value === null);
  const values = items.filter(isFinite).map((one) => number(one.value));
  return {
    grid: { left: 56, right: 20, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: (at) => at.data.words ?? "" }),
    xAxis: axis({ type: "value", name: "trial", nameLocation: "middle", nameGap: 26, minInterval: 1, min: 0,
      max: ({ max }) => Math.max(max, 5), splitLine: { show: false } }),
    yAxis: valueAxis(axisName(study.metric, study.direction), log),
    series: [stepLine(items, study), ...Object.keys(STATES).map((state) => dots(state, items)), floor(items, values)],
  };
}

function stepLine(items, study) {
  const data = bestSoFar(items, study.direction);
  return {
    id: "best", type: "line", step: "end", symbol: "none", silent: true, z: 1,
    data: data.map((value) => ({ value })),
    lineStyle: { color: token("--accent"), width: 2.5 },
  };
}

function dots(state, items) {
  const { symbol } = STATES[state];
  const found = items.filter((one) => one.state === state && isFinite(one));
  return {
    id: state, type: "scatter", symbol, symbolSize: 9, z: 2,
    itemStyle: marks(state),
    emphasis: { scale: 1.5 },
    data: found.map((one) => ({ value: [one.number, number(one.value)], trial: one.number, words: words(one) })),
  };
}

/** Trials that ended without a finite value stand as ticks on the floor. */
function floor(items, values) {
  const over = items.filter((one) => !isFinite(one) && (one.state === "failed" || one.value !== null));
  const low = values.length ? values.reduce((a, b) => Math.min(a, b)) : 0;
  return {
    id: "floor", type: "scatter", symbol: STATES.failed.symbol, symbolSize: 8, z: 2,
    itemStyle: marks("failed"),
    data: over.map((one) => ({ value: [one.number, low], trial: one.number, words: words(one) })),
  };
}

function words(one) {
  const value = one.value === null ? "without a value" : shown(one.value);
  return `trial ${one.number}   ${STATES[one.state].shape} ${one.state}\n${value}\nclick to open`;
}
