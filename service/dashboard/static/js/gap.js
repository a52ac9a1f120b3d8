// Train against validation at each trial's best step: above the dashed line a trial overfits, right of the other one it
// underfits. Says the same in words.

import { axis, mount, shown, spansDecades, token, tooltip, valueAxis } from "./charts.js";
import { TIMES, errorOf, gapOf, verdict } from "./curve_values.js";
import { walk } from "./walk.js";

const HOLDS = { overfitting: "overfits", underfitting: "underfits", balanced: "neither" };

/**
 * @param {HTMLElement} element the chart's @param {HTMLElement} words where the trial in question is told
 * @param {HTMLElement} sum where all trials are told
 * @param {{open: (number: number) => void, hovered: (number: number) => void, colourOf: (number: number) => string}} page
 */
export function createGap(element, words, sum, page) {
  let seen = { gaps: [], metric: "", train: "", direction: null, best: null };
  let at = null;
  const { chart, draw, option } = mount(element, () => whole(seen, at, page.colourOf));
  chart.on("click", (event) => event.data?.trial !== undefined && page.open(event.data.trial));
  walk(element, chart, page.open);
  chart.on("mouseover", (event) => event.data?.trial !== undefined && page.hovered(event.data.trial));

  function tell() {
    const errors = seen.gaps.map((one) => one.validation);
    const best = errors.length ? errors.reduce((a, b) => (better(b, a, seen.direction) ? b : a)) : 0;
    for (const one of seen.gaps) one.verdict = one.state === "complete" ? verdict(one, best, seen.direction) : null; // others may yet change
    seen.reached = best;
    const one = seen.gaps.find(({ number }) => number === at) ?? seen.gaps.find(({ number }) => number === seen.best) ?? seen.gaps[0];
    words.textContent = one ? sentence(one, seen) : "";
    const counts = Object.entries(HOLDS).map(([kind, verb]) => /** @type {[number, string]} */ ([seen.gaps.filter((gap) => gap.verdict === kind).length, verb])).filter(([n]) => n);
    sum.textContent = counts.length ? `Of ${counts.reduce((total, [n]) => total + n, 0)} complete trials: ${counts.map(([n, verb]) => (verb === "neither" ? `${n} balanced` : `${n} ${n === 1 ? verb : verb.slice(0, -1)}`)).join(", ")}.` : "";
  }

  return {
    option,
    /**
     * @param {import("./curve_values.js").Curve[]} curves @param {string} metric @param {string} train
     * @param {string|null} direction @param {number|null} best the best trial
     */
    set(curves, metric, train, direction, best) {
      const gaps = curves.map((one) => gapOf(one, metric, train, direction)).filter(Boolean);
      seen = { gaps, metric, train, direction, best };
      tell();
      draw();
    },
    /** Tell of this trial. @param {number} number */
    point(number) {
      at = number;
      tell();
      draw();
    },
    has: () => seen.gaps.length > 0,
  };
}

const better = (a, b, direction) => (direction === "maximize" ? a > b : a < b);

function sentence(one, { metric, train }) {
  const gap = `${metric} ${shown(one.validation)}, ${train} ${shown(one.train)} at its best step ${one.step}`;
  return `Trial ${one.number}: ${gap}: gap ${shown(Math.abs(one.validation - one.train))}${one.verdict ? `, ${one.verdict}` : ""}.`;
}

function whole(seen, at, colourOf) {
  const { gaps } = seen;
  const values = gaps.flatMap((one) => [one.train, one.validation]);
  const log = spansDecades(values);
  const named = (name, own) => ({ ...valueAxis(name, log), ...own });
  return {
    grid: { left: 56, right: 20, top: 36, bottom: 44 },
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => (data?.words ? data.words : "") }),
    xAxis: named(seen.train, { nameLocation: "middle", nameGap: 26, nameTextStyle: axis({}).nameTextStyle, splitLine: { show: false } }),
    yAxis: named(seen.metric, {}),
    series: [...guides(seen, values), {
      id: "gaps", type: "scatter", symbolSize: 9, z: 3, emphasis: { scale: 1.5 },
      data: gaps.map((one) => ({ value: [one.train, one.validation], trial: one.number, words: `${sentence(one, seen).replace(/: /g, "\n")}\nclick to open`,
        symbolSize: one.number === at || one.number === seen.best ? 14 : 9,
        itemStyle: { color: colourOf(one.number), borderColor: token("--ink"), borderWidth: one.number === at ? 2 : 0 } })),
    }],
  };
}

/** Where train and validation are the same; and where errors begin to tell of over- and underfitting. */
function guides({ gaps, direction, reached }, values) {
  if (!gaps.length) return [];
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const back = (error) => (direction === "maximize" ? 1 - error : error); // from an error to its value
  const same = { id: "same", name: "no gap", from: [low, low], to: [high, high], dash: "solid", below: true };
  const bar = errorOf(reached ?? 0, direction);
  if (bar === null || values.some((one) => errorOf(one, direction) === null)) return [guide(same)];
  const errors = values.map((one) => errorOf(one, direction));
  const [least, most] = [errors.reduce((a, b) => Math.min(a, b)), errors.reduce((a, b) => Math.max(a, b))];
  const over = { id: "over", name: "overfitting", from: [back(least), back(least * TIMES)], to: [back(most / TIMES), back(most)], dash: "dashed" };
  const under = { id: "under", name: "underfitting", from: [back(TIMES * bar), low], to: [back(TIMES * bar), high], dash: "dashed" };
  return [same, ...(most > least * TIMES ? [over] : []), ...(TIMES * bar < most && TIMES * bar > least ? [under] : [])].map(guide);
}

const guide = ({ id, name, from, to, dash, below = false }) => ({
  id, type: "line", silent: true, symbol: "none", showSymbol: false, z: 1, data: [from, to],
  lineStyle: { color: token("--muted"), width: 1, type: dash, opacity: 0.7 },
  endLabel: { show: true, formatter: name, color: token("--muted"), fontSize: 11, align: "right", offset: [-6, below ? 16 : -8] },
});
