// Train and validation curves: validation solid, train dashed and thin, one colour for each trial.

import { SERIES, STATES, axis, axisName, logSwitch, marks, mount, number, shown, token, tooltip, valueAxis } from "./charts.js";

/** How many of the best and how many of the latest trials are drawn. */
export const BEST = 4;
export const LATEST = 4;

/**
 * The trials worth drawing: the best complete ones and the latest that have begun.
 * @param {{number: number, state: string, value: number|string|null}[]} items by number
 * @param {string} direction @returns {number[]}
 */
export function choose(items, direction) {
  const sign = direction === "maximize" ? -1 : 1;
  const complete = items.filter((one) => one.state === "complete" && Number.isFinite(number(one.value)));
  const best = complete.sort((a, b) => sign * (number(a.value) - number(b.value))).slice(0, BEST);
  const begun = items.filter((one) => one.state !== "waiting").slice(-LATEST);
  return [...new Set([...best, ...begun].map((one) => one.number))].sort((a, b) => a - b);
}

/**
 * The train metric beside a validation one, where there is one.
 * @param {string} metric @param {string[]} known @returns {string|undefined}
 */
export function trainOf(metric, known) {
  const rest = metric.replace(/^(val|valid|validation|test)_/, "");
  return [`train_${rest}`, `training_${rest}`].find((name) => name !== metric && known.includes(name));
}

/** Metrics to choose from: those that are no train counterpart of another. @param {string[]} known */
export function choices(known) {
  const trains = new Set(known.map((name) => trainOf(name, known)).filter(Boolean));
  return known.filter((name) => !trains.has(name));
}

/**
 * @typedef {{number: number, state: string, value: number|string|null, steps: number[],
 *   values: Record<string, (number|string|null)[]>}} Curve
 * @param {HTMLElement} element
 * @param {{direction: string|null, open: (number: number) => void, single?: boolean}} study `single`: one trial's chart,
 *   in the colours of validation and train, with the metrics' names at the lines
 */
export function createCurves(element, study) {
  /** @type {Map<number, Curve>} */
  let curves = new Map();
  let metric = null;
  let train;
  let best = null;
  let mark = null;
  const colours = new Map();
  const { chart, draw } = mount(element, () => option([...curves.values()], { ...study, metric, train, best, mark, colours, isLog }));
  const isLog = logSwitch(element.closest("figure").querySelector("input[type=checkbox]"), draw);
  chart.on("click", (event) => {
    const trial = event.data?.trial ?? event.seriesName?.match(/^trial (\d+)/)?.[1];
    if (trial !== undefined) study.open(Number(trial));
  });
  return {
    chart,
    has: (at) => curves.has(at),
    /** @param {Curve[]} found @param {string|null} shownMetric @param {string|undefined} trainMetric */
    set(found, shownMetric, trainMetric) {
      curves = new Map(found.map((one) => [one.number, one]));
      [metric, train] = [shownMetric, trainMetric];
      paint(colours, curves);
      draw();
    },
    /** @param {number|null} at the best trial */
    setBest(at) {
      best = at;
      draw();
    },
    /** @param {{top: number|null, stopped: string|null}} marks the step of ▲, and why the last one was the last */
    setMarks(marks) {
      mark = marks;
      draw();
    },
    /** Take up a trial's new state. */
    update({ number: at, state, value }) {
      const curve = curves.get(at);
      if (!curve) return;
      Object.assign(curve, { state, value });
      draw();
    },
    /** @param {number} at @param {{step: number, metrics: Record<string, number|string>}[]} reports */
    append(at, reports) {
      const curve = curves.get(at) ?? { number: at, state: "running", value: null, steps: [], values: {} };
      curves.set(at, curve);
      paint(colours, curves);
      for (const one of reports) put(curve, one);
      draw();
    },
  };
}

/** Put a step in its place, over one that is there: after a resume steps come again. */
function put(curve, { step, metrics }) {
  let at = curve.steps.length;
  while (at > 0 && curve.steps[at - 1] >= step) at -= 1;
  const isNew = curve.steps[at] !== step;
  if (isNew) curve.steps.splice(at, 0, step);
  for (const name of new Set([...Object.keys(curve.values), ...Object.keys(metrics)])) {
    curve.values[name] ??= Array(curve.steps.length - (isNew ? 1 : 0)).fill(null);
    curve.values[name].splice(at, isNew ? 0 : 1, metrics[name] ?? null);
  }
}

/** A trial keeps its colour as long as it is drawn. */
function paint(colours, curves) {
  for (const at of colours.keys()) if (!curves.has(at)) colours.delete(at);
  for (const at of curves.keys()) {
    if (colours.has(at)) continue;
    const free = SERIES.find((colour) => ![...colours.values()].includes(colour));
    colours.set(at, free ?? "#8a8f99");
  }
}

const finite = (curve, name) => curve.steps
  .map((step, i) => [step, number(curve.values[name]?.[i])])
  .filter(([, value]) => value !== null && Number.isFinite(value));
const points = (curve, name, view) => finite(curve, name).filter(([, value]) => !view.log || value > 0);

function option(curves, given) {
  const all = curves.flatMap((curve) => [given.metric, given.train].flatMap((name) => finite(curve, name).map((p) => p[1])));
  const view = { ...given, log: given.isLog(all) };
  const drawn = curves.filter((curve) => view.metric && points(curve, view.metric, view).length > 0);
  return {
    grid: { left: 56, right: view.single ? 20 : 36, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: (at) => words(at, view) }),
    xAxis: axis({ type: "value", name: "step", nameLocation: "middle", nameGap: 26, minInterval: 1,
      splitLine: { show: false }, max: "dataMax", min: "dataMin",
      axisLabel: { color: token("--muted"), hideOverlap: true, showMaxLabel: false } }),
    yAxis: valueAxis(axisName(view.metric ?? "value", view.direction), view.log),
    series: [
      ...drawn.flatMap((curve) => lines(curve, view)),
      ends("pruned", drawn.filter((curve) => curve.state === "pruned" || view.mark?.stopped), view),
      top(drawn.find((curve) => curve.number === view.best), view),
    ],
  };
}

function lines(curve, view) {
  const colour = view.single ? token("--accent") : view.colours.get(curve.number);
  const isBest = curve.number === view.best;
  const name = `trial ${curve.number}`;
  const shared = { type: "line", triggerLineEvent: true, showSymbol: false, symbolSize: 7, z: isBest ? 4 : 3,
    itemStyle: { color: colour }, emphasis: { focus: "series", lineStyle: { width: isBest ? 4 : 3 } } };
  const validation = { ...shared, id: `${curve.number}/${view.metric}`, name: `${name} ${view.metric}`,
    data: points(curve, view.metric, view).map((value) => ({ value, trial: curve.number })),
    showSymbol: curve.steps.length < 2,
    lineStyle: { color: colour, width: isBest ? 3.5 : 1.75 },
    endLabel: { show: !view.single, formatter: String(curve.number), color: colour, fontWeight: isBest ? "bold" : "normal" },
    labelLayout: { hideOverlap: true } };
  if (!view.train) return [validation];
  const train = { ...shared, id: `${curve.number}/${view.train}`, name: `${name} ${view.train}`, z: 2,
    data: points(curve, view.train, view).map((value) => ({ value, trial: curve.number })),
    itemStyle: { color: view.single ? token("--train") : colour },
    lineStyle: { color: view.single ? token("--train") : colour, width: 1.25, type: "dashed", opacity: view.single ? 1 : 0.7 } };
  return [train, validation];
}

/** Marks where trials were stopped early. */
function ends(state, curves, view) {
  return {
    id: "stopped", type: "scatter", symbol: STATES[state].symbol, symbolSize: 11, z: 5,
    itemStyle: marks(state),
    data: curves.filter((curve) => points(curve, view.metric, view).length).map((curve) => ({ value: points(curve, view.metric, view).at(-1), trial: curve.number,
      mark: view.mark?.stopped ?? "stopped early" })),
  };
}

/** Marks the best step of the best trial, or of the one that the chart is about. */
function top(curve, view) {
  const found = curve ? topPoint(points(curve, view.metric, view), view) : undefined;
  return {
    id: "top", type: "scatter", symbol: "triangle", symbolSize: 12, z: 6,
    itemStyle: { color: token("--complete") },
    data: found ? [{ value: found, trial: curve.number, mark: "its best step" }] : [],
  };
}

function topPoint(found, view) {
  if (view.mark) return found.find(([step]) => step === view.mark.top);
  const sign = view.direction === "maximize" ? -1 : 1;
  return found.length ? found.reduce((a, b) => (sign * (b[1] - a[1]) < 0 ? b : a)) : undefined;
}

function words(at, view) {
  if (!at.data?.value) return at.seriesName ?? "";
  const [step, value] = at.data.value;
  const best = at.data.trial === view.best ? ", the best" : "";
  const what = at.data.mark ?? at.seriesName.replace(/^trial \d+ /, "");
  return `trial ${at.data.trial}${best}\n${what}  ${shown(value)}\nat step ${step}`;
}
