// A trial's page: one chart for each metric with its train counterpart, and what happens to the trial as it happens.

import { call } from "./api.js";
import { number } from "./charts.js";
import { choices, createCurves, trainOf } from "./curves.js";
import { calmly, listen } from "./live.js";
import { reading, refresh, wireCopies } from "./parts.js";

const root = document.getElementById("trial");
const { name, metric: objective, direction } = root.dataset;
const at = Number(root.dataset.number);
const patience = root.dataset.patience ? Number(root.dataset.patience) : null;
const base = `/api/v1/studies/${encodeURIComponent(name)}/trials/${at}`;
/** @type {Map<string, ReturnType<typeof createCurves>>} */
const charts = new Map();
/** @type {Map<number, Record<string, number|string>>} the metrics by step */
let measured = new Map();
let state = document.getElementById("state").dataset.state;
let attempt = null;

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
});
const soonTrial = calmly(readTrial, 500);

/** Everything drawn from what was measured. */
function draw() {
  const steps = [...measured.keys()].sort((a, b) => a - b);
  const known = [...new Set([...measured.values()].flatMap((one) => Object.keys(one)))].sort();
  const names = choices(known).sort((a, b) => Number(b === objective) - Number(a === objective));
  document.getElementById("metrics-empty").hidden = names.length > 0;
  const top = bestStep(steps);
  for (const metric of names) {
    const train = trainOf(metric, known);
    const values = Object.fromEntries([metric, train].filter(Boolean)
      .map((one) => [one, steps.map((step) => measured.get(step)[one] ?? null)]));
    chart(metric, train).set([{ number: at, state, value: null, steps, values }], metric, train);
    charts.get(metric).setBest(at);
    charts.get(metric).setMarks({ top, stopped: stopped(top, steps.at(-1)) });
  }
}

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

function chart(metric, train) {
  if (charts.has(metric)) return charts.get(metric);
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  const [title, key, place] = [document.createElement("h2"), document.createElement("span"), document.createElement("div")];
  title.textContent = metric;
  key.textContent = train ? `━ ${metric}   ┄ ${train}` : "";
  [figure.className, key.className, place.className] = ["card", "muted", "chart"];
  place.dataset.metric = metric;
  caption.append(title, key);
  figure.append(caption, place);
  document.getElementById("metrics").append(figure);
  const isObjective = metric === objective;
  charts.set(metric, createCurves(place, { direction: isObjective ? direction : null, open: () => {}, single: true }));
  return charts.get(metric);
}

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
