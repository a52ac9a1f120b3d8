// Train and validation curves: validation solid, train dashed and thin, one colour for each trial; behind them the band in
// which most trials run.

import { SERIES, STATES, axis, axisName, logSwitch, marks, mount, shown, token, tooltip, valueAxis } from "./charts.js";
import { bestFirst, points, put, topPoint } from "./curve_values.js";
import { walk } from "./walk.js";

const GREY = "#8a8f99"; // of trials beyond the series of colours
const FEW = 20; // curves, up to which a hovered one lets the others fade, and the changes are animated

/**
 * @typedef {import("./curve_values.js").Curve} Curve
 * @typedef {{step: number, trials: number, low: number, median: number, high: number}} Place of the band
 * @param {HTMLElement} element
 * @param {{direction: string|null, open: (number: number) => void, single?: boolean, hovered?: (number: number) => void,
 *   keep?: boolean, tops?: boolean}} study `single`: one trial's chart, in the colours of validation and train, with the
 *   metrics' names at the lines; `hovered`: told the trial below the mouse; `keep`: choices of axes stand in the address;
 *   `tops`: the best step is marked on each coloured curve, not on the best trial's alone
 */
export function createCurves(element, study) {
  /** @type {Map<number, Curve>} */
  let curves = new Map();
  let given = { metric: null, train: undefined, direction: study.direction, best: null, mark: null, x: "step", band: [] };
  const colours = new Map();
  const figure = element.closest("figure");
  const { chart, draw, option } = mount(element, () => whole([...curves.values()], { ...study, ...given, colours, isLog, isLogX }));
  const isLog = logSwitch(figure.querySelector("input[name^=log]:not([name=log-x])"), draw, study.keep ? "log" : undefined);
  const isLogX = logSwitch(figure.querySelector("input[name=log-x]"), draw, study.keep ? "log-x" : undefined, () => false);
  const trialOf = (event) => event.data?.trial ?? event.seriesName?.match(/^trial (\d+)/)?.[1];
  chart.on("click", (event) => trialOf(event) !== undefined && study.open(Number(trialOf(event))));
  chart.on("mouseover", (event) => trialOf(event) !== undefined && study.hovered?.(Number(trialOf(event))));
  walk(element, chart, study.single ? null : study.open, study.single ? { thing: "step", key: (one) => one?.step } : undefined);
  const change = (changes) => {
    given = { ...given, ...changes };
    draw();
  };
  return {
    chart,
    option,
    has: (at) => curves.has(at),
    /** @returns {Curve[]} by number */
    all: () => [...curves.values()].sort((a, b) => a.number - b.number),
    /** @param {number} at @returns {string} the colour of a trial's curve */
    colourOf: (at) => colours.get(at) ?? GREY,
    /** @param {Curve[]} found @param {string|null} metric @param {string|undefined} train */
    set(found, metric, train) {
      curves = new Map(found.map((one) => [one.number, one]));
      paint(colours, curves, given.direction);
      change({ metric, train });
    },
    /** @param {number|null} best the best trial */
    setBest: (best) => change({ best }),
    /** @param {{top: number|null, stopped: string|null}} mark the step of ▲, and why the last one was the last */
    setMarks: (mark) => change({ mark }),
    /** @param {{x?: "step"|"seconds", band?: Place[], direction?: string|null}} view what else is seen */
    setView: change,
    /** Take up a trial's new state. */
    update({ number: at, state, value, reason }) {
      const curve = curves.get(at);
      if (!curve) return;
      Object.assign(curve, { state, value, reason });
      draw();
    },
    /** @param {number} at @param {{step: number, metrics: Record<string, number|string>}[]} reports */
    append(at, reports) {
      const curve = curves.get(at) ?? { number: at, state: "running", value: null, steps: [], seconds: [], values: {} };
      curves.set(at, curve);
      paint(colours, curves, given.direction);
      for (const one of reports) put(curve, one);
      draw();
    },
  };
}

/** A trial keeps its colour as long as it is drawn; where there are more trials than colours, the best have one. */
function paint(colours, curves, direction) {
  for (const [at, colour] of colours) if (!curves.has(at) || colour === GREY) colours.delete(at);
  const free = SERIES.filter((colour) => ![...colours.values()].includes(colour));
  const bare = [...curves.values()].filter((one) => !colours.has(one.number)).sort(bestFirst(direction));
  for (const one of bare) colours.set(one.number, free.shift() ?? GREY);
}

function whole(curves, given) {
  const along = { x: given.x, logX: given.isLogX([]) };
  const seen = (curve) => [given.metric, given.train].flatMap((name) => points(curve, name, along).map(({ at }) => at[1]));
  const view = { ...given, ...along, log: given.isLog(curves.flatMap(seen)), isMany: curves.length > FEW };
  const drawn = curves.filter((curve) => view.metric && points(curve, view.metric, view).length > 0);
  const coloured = drawn.filter((one) => view.colours.get(one.number) !== GREY);
  const isDirected = view.direction !== null || view.mark;
  return {
    ...(view.isMany ? { animation: false } : {}),
    grid: { left: 56, right: view.single ? 20 : 36, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: (at) => words(at, view) }),
    xAxis: axis({ type: view.logX ? "log" : "value", name: xName(view), nameLocation: "middle", nameGap: 26,
      minInterval: view.x === "step" && !view.logX ? 1 : undefined, splitLine: { show: false }, max: "dataMax", min: "dataMin",
      axisLabel: { color: token("--muted"), hideOverlap: true, showMaxLabel: false, formatter: shown } }),
    yAxis: valueAxis(axisName(view.metric ?? "value", view.direction), view.log),
    series: [
      ...band(view),
      ...drawn.flatMap((curve) => lines(curve, view)),
      ends(drawn.filter((curve) => curve.state === "pruned" || view.mark?.stopped), view),
      tops(isDirected ? (view.tops ? coloured : coloured.filter((curve) => curve.number === view.best)) : [], view),
    ],
  };
}

const xName = ({ x, logX }) => (x === "step" ? "step" : "seconds since the trial's start") + (logX ? " (log scale)" : "");

/** The middle 80 % of all trials as one area, and their median. */
function band(view) {
  const places = view.x === "step" ? view.band.filter((one) => !(view.logX && one.step <= 0) && !(view.log && one.low <= 0)) : [];
  if (!places.length) return [];
  const area = (_, api) => ({
    type: "polygon", silent: true,
    shape: { points: [...places.map((one) => api.coord([one.step, one.low])), ...places.toReversed().map((one) => api.coord([one.step, one.high]))] },
    style: { fill: token("--muted"), opacity: 0.16 },
  });
  return [
    { id: "band", type: "custom", silent: true, clip: true, z: 0, animation: false, encode: { x: 0, y: [1, 2] },
      data: places.map((one) => [one.step, one.low, one.high]),
      renderItem: (at, api) => (at.dataIndex === 0 ? area(at, api) : { type: "group", children: [] }) },
    { id: "median", type: "line", silent: true, showSymbol: false, z: 1, animation: false, data: places.map((one) => [one.step, one.median]),
      lineStyle: { color: token("--muted"), width: 1, type: "dotted" } },
  ];
}

function lines(curve, view) {
  const colour = view.single ? token("--accent") : view.colours.get(curve.number);
  const isGrey = colour === GREY;
  const isBest = curve.number === view.best;
  const name = `trial ${curve.number}`;
  const shared = { type: "line", triggerLineEvent: true, showSymbol: false, symbolSize: 7, z: isBest ? 4 : isGrey ? 2 : 3,
    itemStyle: { color: colour }, emphasis: { focus: view.isMany ? "none" : "series", lineStyle: { width: isBest ? 4 : 3, opacity: 1 } } };
  const data = (metric) => points(curve, metric, view).map(({ at, step }) => ({ value: at, trial: curve.number, step }));
  const validation = { ...shared, id: `${curve.number}/${view.metric}`, name: `${name} ${view.metric}`,
    data: data(view.metric), showSymbol: curve.steps.length < 2,
    lineStyle: { color: colour, width: isBest ? 3.5 : isGrey ? 1 : 1.75, opacity: isGrey ? 0.5 : 1 },
    endLabel: { show: !view.single && !isGrey, formatter: String(curve.number), color: colour, fontWeight: isBest ? "bold" : "normal" },
    labelLayout: { hideOverlap: true } };
  if (!view.train || isGrey) return [validation];
  const train = { ...shared, id: `${curve.number}/${view.train}`, name: `${name} ${view.train}`, z: 2,
    data: data(view.train), itemStyle: { color: view.single ? token("--train") : colour },
    lineStyle: { color: view.single ? token("--train") : colour, width: 1.25, type: "dashed", opacity: view.single ? 1 : 0.7 } };
  return [train, validation];
}

/** Marks where trials were stopped early, with the reason. */
function ends(curves, view) {
  const last = (curve) => points(curve, view.metric, view).at(-1);
  return {
    id: "stopped", type: "scatter", symbol: STATES.pruned.symbol, symbolSize: view.isMany ? 7 : 11, z: 5,
    itemStyle: marks("pruned"),
    data: curves.map((curve) => ({ value: last(curve).at, step: last(curve).step, trial: curve.number,
      mark: view.mark?.stopped ?? (curve.reason ? `stopped early: ${curve.reason}` : "stopped early") })),
  };
}

/** Marks the best steps of trials. */
function tops(curves, view) {
  const found = curves.map((curve) => ({ curve, top: topOf(points(curve, view.metric, view), view) })).filter(({ top }) => top);
  return {
    id: "top", type: "scatter", symbol: "triangle", symbolSize: 12, z: 6,
    data: found.map(({ curve, top }) => ({ value: top.at, step: top.step, trial: curve.number, mark: "its best step",
      itemStyle: { color: view.tops ? view.colours.get(curve.number) : token("--complete"), borderColor: token("--raised"), borderWidth: 1 } })),
  };
}

function topOf(found, view) {
  return view.mark ? found.find(({ step }) => step === view.mark.top) : topPoint(found, view.direction);
}

function words(at, view) {
  if (!at.data?.value) return at.seriesName ?? "";
  const best = at.data.trial === view.best ? ", the best" : "";
  const what = at.data.mark ?? at.seriesName.replace(/^trial \d+ /, "");
  const when = view.x === "seconds" ? `, after ${shown(at.data.value[0])} s` : "";
  return `trial ${at.data.trial}${best}\n${what}  ${shown(at.data.value[1])}\nat step ${at.data.step}${when}${view.single ? "" : "\nclick to open"}`;
}
