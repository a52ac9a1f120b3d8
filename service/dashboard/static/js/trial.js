// A trial's page: one chart for each metric with its train counterpart, and what happens to the trial as it happens.

import { call } from "./api.js";
import { number, shown } from "./charts.js";
import { choices, trainOf } from "./curve_values.js";
import { createCurves } from "./curves.js";
import { addTools } from "./figure_tools.js";
import { createKept } from "./kept.js";
import { calmly, listen } from "./live.js";
import { reading, refresh, wireCopies } from "./parts.js";
import { createVariation } from "./variation.js";

const [MANY, FIRST] = [4, 2]; // of more metrics than MANY only the FIRST ones are drawn unasked
const root = document.getElementById("trial");
const { name, metric: objective, direction } = root.dataset;
const at = Number(root.dataset.number);
const patience = root.dataset.patience ? Number(root.dataset.patience) : null;
const base = `/api/v1/studies/${encodeURIComponent(name)}/trials/${at}`;
/** @type {Map<string, ReturnType<typeof chart>>} */
const charts = new Map();
/** @type {Map<number, Record<string, number|string>>} the metrics by step */
let measured = new Map();
let state = document.getElementById("state").dataset.state;
let attempt = null;
const more = document.getElementById("more");
/** @type {import("./kept.js").Tools} */
const tools = (element, of, option, file) => addTools(element, { name: of, study: `${name}-${at}`, whose: `${name}, trial ${at}`, option,
  data: () => (file ? `${base}/artifacts/${file}` : base) });
const readKept = createKept(tools);

const readTrial = reading(async () => {
  const kept = measured;
  measured = new Map(); // reports that come while the trial is read go here
  const [trial] = await Promise.all([call("GET", base), refresh()]).catch((error) => {
    measured = new Map([...kept, ...measured]);
    throw error;
  });
  [state, attempt] = [trial.state, trial.attempt];
  measured = new Map([...trial.reports.map((one) => [one.step, one.metrics]), ...measured]);
  draw();
  await readKept(bestStep(inOrder()));
});
const soonTrial = calmly(readTrial, 500);

/** Everything drawn from what was measured. */
function draw() {
  const steps = inOrder();
  const known = [...new Set([...measured.values()].flatMap((one) => Object.keys(one)))].sort();
  const names = choices(known).sort((a, b) => rank(a) - rank(b));
  document.getElementById("metrics-empty").hidden = names.length > 0;
  const top = bestStep(steps);
  const unasked = names.length > MANY ? names.slice(0, FIRST) : names;
  more.hidden = unasked.length === names.length;
  more.querySelector("summary").textContent = `${names.length - unasked.length} more metrics`;
  for (const metric of names.filter((one) => more.open || unasked.includes(one) || charts.has(one))) {
    const train = trainOf(metric, known);
    const values = Object.fromEntries([metric, train].filter(Boolean)
      .map((one) => [one, steps.map((step) => measured.get(step)[one] ?? null)]));
    const drawn = chart(metric, train, unasked.includes(metric));
    drawn.curves.set([{ number: at, state, value: null, steps, values }], metric, train);
    drawn.curves.setBest(at);
    drawn.curves.setMarks({ top, stopped: stopped(top, steps.at(-1)) });
    drawn.tell(top, stopped(top, steps.at(-1)));
  }
}

const inOrder = () => [...measured.keys()].sort((a, b) => a - b);
/** The objective comes first, then losses. */
const rank = (metric) => (metric === objective ? 0 : metric.endsWith("loss") ? 1 : 2);

/** The step where the objective was best. @param {number[]} steps @returns {number|null} */
function bestStep(steps) {
  const sign = direction === "maximize" ? -1 : 1;
  const found = steps.filter((step) => Number.isFinite(number(measured.get(step)[objective])));
  const score = (step) => sign * number(measured.get(step)[objective]);
  return found.length ? found.reduce((a, b) => (score(b) < score(a) ? b : a)) : null;
}

/** @returns {string|null} why the trial ended before its time, if it did */
function stopped(top, last) {
  if (state === "pruned") return "stopped early: not promising";
  const impatient = state === "complete" && patience !== null && top !== null && last - top >= patience;
  return impatient ? `stopped early: no better for ${last - top} steps` : null;
}

/** @returns {{curves: ReturnType<typeof createCurves>, tell: (top: number|null, why: string|null) => void}} */
function chart(metric, train, isFirst) {
  if (charts.has(metric)) return charts.get(metric);
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  const [title, key, place, marks] = ["h2", "span", "div", "p"].map((tag) => document.createElement(tag));
  title.textContent = metric;
  key.textContent = train ? `━ ${metric}   ┄ ${train}` : "";
  [figure.className, key.className, place.className, marks.className] = ["card", "muted", "chart", "key muted"];
  place.dataset.metric = metric;
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", train ? `${metric} and ${train} at each step` : `${metric} at each step`);
  caption.append(title, key);
  figure.append(caption, place, marks);
  (isFirst ? document.getElementById("metrics") : more.querySelector(".figures")).append(figure);
  const isObjective = metric === objective;
  const curves = createCurves(place, { direction: isObjective ? direction : null, open: () => {}, single: true });
  tools(place, metric, curves.option);
  const tell = (top, why) => marks.replaceChildren(
    ...(top === null ? [] : [marked("complete", "▲", `${shown(measured.get(top)[metric])} at the best step, ${top}`)]),
    ...(why ? [marked("pruned", "◐", why)] : []),
  );
  charts.set(metric, { curves, tell });
  return charts.get(metric);
}

/** A mark of the charts in words. @param {string} kind of its colour @param {string} shape @param {string} words */
function marked(kind, shape, words) {
  const [made, mark] = [document.createElement("span"), document.createElement("span")];
  mark.className = `tally-${kind}`;
  mark.textContent = shape;
  made.append(mark, ` ${words}`);
  return made;
}

createVariation(root, { name, number: at, changed: readTrial });
more.addEventListener("toggle", draw);
listen(name, {
  fresh: readTrial,
  study() {},
  trial(event) {
    if (event.number !== at) return;
    if (attempt !== null && event.trial?.attempt !== attempt) measured.clear();
    soonTrial();
  },
  report(event) {
    if (event.number !== at) return;
    for (const one of event.reports) measured.set(one.step, one.metrics);
    draw();
  },
  artifact(event) {
    if (event.number === at) soonTrial();
  },
});
wireCopies();
