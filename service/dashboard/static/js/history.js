// Best so far over the trials: a dot for each by its state, and the best value as a step line. The arrow keys go from
// trial to trial.

import { STATES, axis, axisName, logSwitch, marks, mount, number, shown, token, tooltip, valueAxis } from "./charts.js";
import { stepped } from "./walk.js";

const BRUSHED = 100; // trials from which on there is a slider to look at a part of them
const FADED = 0.15;

/**
 * @typedef {{number: number, state: string, value: number|string|null}} Item
 * @param {HTMLElement} element
 * @param {{metric: string|null, direction: string, open: (number: number) => void, pointed: (number: number) => void,
 *   shown: (range: {first: number, last: number}|null) => void}} study `pointed`: told the trial below the mouse, or that
 *   the keys came to; `shown`: told which part of the trials is looked at, null for all
 */
export function createHistory(element, study) {
  /** @type {Map<number, Item>} */
  let items = new Map();
  let [at, picks] = [null, null];
  const sorted = () => [...items.values()].sort(byNumber);
  const { chart, draw, option } = mount(element, () => whole(sorted(), { ...study, at, picks, isLog }));
  const isLog = logSwitch(document.querySelector("input[name=log-history]"), draw, "log-history");
  chart.on("click", (event) => event.data?.trial !== undefined && study.open(event.data.trial));
  chart.on("mouseover", (event) => event.data?.trial !== undefined && point(event.data.trial));
  chart.on("datazoom", () => {
    const [{ startValue, endValue, start, end }] = chart.getOption().dataZoom;
    study.shown(start <= 0 && end >= 100 ? null : { first: Math.max(0, Math.ceil(startValue)), last: Math.floor(endValue) });
  });
  element.addEventListener("keydown", (event) => {
    const numbers = sorted().map((one) => one.number);
    if (event.key === "Enter" && at !== null) return study.open(at);
    const to = stepped(event.key, numbers, at);
    if (to === undefined) return undefined;
    event.preventDefault();
    return point(to);
  });

  function point(trial) {
    if (trial === at) return;
    at = trial;
    study.pointed(trial);
    draw();
  }

  return {
    chart,
    /** As it is looked at now, for a still picture. */
    option: () => {
      const zoom = chart.getOption()?.dataZoom?.[0];
      return { ...option(), ...(zoom ? { dataZoom: [{ type: "inside", startValue: zoom.startValue, endValue: zoom.endValue }] } : {}) };
    },
    /** @returns {Item[]} by number */
    all: sorted,
    /** @param {Item[]} found */
    set(found) {
      items = new Map(found.map((one) => [one.number, one]));
      draw();
    },
    /** @param {Item} trial */
    update({ number: own, state, value }) {
      items.set(own, { number: own, state, value });
      draw();
    },
    /** @param {Set<number>|null} numbers the others fade */
    pick(numbers) {
      picks = numbers;
      draw();
    },
    /** Look at a part of the trials. @param {{first: number, last: number}} range */
    look: ({ first, last }) => chart.dispatchAction({ type: "dataZoom", startValue: first, endValue: last }),
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

function whole(all, view) {
  const log = view.isLog(all.filter(isFinite).map((one) => number(one.value)));
  const items = all.filter((one) => !log || !(number(one.value) <= 0) || one.value === null);
  const values = items.filter(isFinite).map((one) => number(one.value));
  const isLong = all.length > BRUSHED;
  return {
    ...(items.length > 1000 ? { animation: false } : {}),
    grid: { left: 56, right: 20, top: 36, bottom: isLong ? 84 : 44 },
    tooltip: tooltip({ trigger: "item", formatter: (at) => at.data.words ?? "" }),
    xAxis: axis({ type: "value", name: "trial", nameLocation: "middle", nameGap: 26, minInterval: 1, min: 0,
      max: ({ max }) => Math.max(max, 5), splitLine: { show: false } }),
    yAxis: valueAxis(axisName(view.metric, view.direction), log),
    dataZoom: isLong ? [slider()] : [],
    series: [stepLine(items, view), ...Object.keys(STATES).map((state) => dots(state, items, view)), floor(items, values, view),
      pointer(items, values, view)],
  };
}

/** The slider below: dots outside of what it shows are left out, the line goes on to the edges. */
const slider = () => ({
  id: "part", type: "slider", xAxisIndex: 0, height: 24, bottom: 8, filterMode: "none", brushSelect: false, minValueSpan: 5,
  borderColor: token("--line"), backgroundColor: "transparent", fillerColor: `${token("--accent")}22`,
  handleStyle: { color: token("--raised"), borderColor: token("--accent") }, moveHandleStyle: { color: token("--accent"), opacity: 0.4 },
  dataBackground: { lineStyle: { color: token("--muted"), opacity: 0.5 }, areaStyle: { color: token("--muted"), opacity: 0.1 } },
  selectedDataBackground: { lineStyle: { color: token("--accent") }, areaStyle: { color: token("--accent"), opacity: 0.1 } },
  textStyle: { color: token("--muted") }, labelFormatter: (value) => String(Math.round(value)), emphasis: { handleStyle: { borderColor: token("--accent") } },
});

function stepLine(items, view) {
  const steps = bestSoFar(items, view.direction);
  const isNew = (at) => steps[at]?.[1] !== steps[at - 1]?.[1];
  // The point after a step too: ECharts leaves steps of less than a pixel out, and would slant the line up to the next one.
  const data = steps.filter((_, at) => isNew(at) || isNew(at - 1) || at === steps.length - 1);
  return {
    id: "best", type: "line", step: "end", symbol: "none", silent: true, z: 1, clip: true,
    data: data.map((value) => ({ value })),
    lineStyle: { color: token("--accent"), width: 2.5 },
  };
}

function dots(state, items, view) {
  const { symbol } = STATES[state];
  const found = items.filter((one) => one.state === state && isFinite(one));
  return {
    id: state, type: "scatter", symbol, symbolSize: items.length > 500 ? 6 : 9, z: 2, clip: true,
    itemStyle: marks(state),
    emphasis: { scale: 1.5 },
    data: found.map((one) => ({ value: [one.number, number(one.value)], trial: one.number, words: words(one), ...faded(one, view) })),
  };
}

const faded = (one, { picks }) => (picks === null || picks.has(one.number) ? {} : { itemStyle: { opacity: FADED } });

/** Trials that ended without a finite value stand as ticks on the floor. */
function floor(items, values, view) {
  const over = items.filter((one) => !isFinite(one) && (one.state === "failed" || one.value !== null));
  return {
    id: "floor", type: "scatter", symbol: STATES.failed.symbol, symbolSize: 8, z: 2,
    itemStyle: marks("failed"),
    data: over.map((one) => ({ value: [one.number, ground(values)], trial: one.number, words: words(one), ...faded(one, view) })),
  };
}

const ground = (values) => (values.length ? values.reduce((a, b) => Math.min(a, b)) : 0);

/** A ring around the trial that is told beside the chart. */
function pointer(items, values, { at }) {
  const one = items.find((item) => item.number === at);
  const place = one && [one.number, isFinite(one) ? number(one.value) : ground(values)];
  return {
    id: "pointer", type: "scatter", symbol: "circle", symbolSize: 17, silent: true, z: 3, animation: false,
    itemStyle: { color: "transparent", borderColor: token("--ink"), borderWidth: 1.5 },
    data: place ? [place] : [],
  };
}

function words(one) {
  const value = one.value === null ? "without a value" : shown(one.value);
  return `trial ${one.number}   ${STATES[one.state].shape} ${one.state}\n${value}\nclick to open`;
}
