// A study's page: reads everything once, then follows the study's events.

import { call } from "./api.js";
import { choices, choose, createCurves, trainOf } from "./curves.js";
import { createHistory } from "./history.js";
import { calmly, listen } from "./live.js";
import { createParallel } from "./parallel.js";
import { failed, reading as readingPart, refresh, wireCopies } from "./parts.js";
import { createTable, remember } from "./table.js";

const root = document.getElementById("study");
const { name, metric: objective, direction } = root.dataset;
const base = `/api/v1/studies/${encodeURIComponent(name)}`;
const select = document.querySelector("select[name=metric]");
const open = (number) => location.assign(`/studies/${encodeURIComponent(name)}/trials/${number}`);
const attempts = new Map();
const late = new Set();
let readers = 0;

const history = createHistory(document.getElementById("history"), { metric: objective || null, direction, open });
const curves = createCurves(document.getElementById("curves"), { direction, open });
const table = createTable(document.getElementById("trials"), {
  name, base, params: JSON.parse(root.dataset.params), failed,
});
const parallel = createParallel(document.getElementById("parallel"), { open, picked: table.pick });

/** While something is read, events are kept: they may be newer than the answer. @param {() => Promise<void>} read */
const reading = (read) => readingPart(async () => {
  readers += 1;
  try {
    await read();
  } finally {
    readers -= 1;
    if (readers === 0) late.clear();
  }
});

const readHead = readingPart(async () => {
  await refresh();
  const best = document.getElementById("best").dataset.number;
  curves.setBest(best === "" ? null : Number(best));
});
const readParallel = reading(async () => {
  parallel.set(await call("GET", `${base}/analysis/parallel`));
  document.getElementById("parallel-empty").hidden = parallel.has();
});
const readHistory = reading(async () => {
  const found = await call("GET", `${base}/analysis/history`);
  history.set(found.items);
  document.getElementById("history-empty").hidden = found.items.length > 0;
  for (const one of late) if (one.trial) history.update(one.trial);
});
const readCurves = reading(async () => {
  const wanted = select.value || new URL(location.href).searchParams.get("metric") || objective;
  const known = [...select.options].map((one) => one.value).concat(JSON.parse(select.dataset.trains ?? "[]"));
  const query = new URLSearchParams({ trials: choose(history.all(), direction).join(",") });
  const train = wanted ? trainOf(wanted, known) : undefined;
  for (const one of [wanted, train]) if (one) query.append("metric", one);
  const found = await call("GET", `${base}/curves?${query}`);
  const isNew = offer(found.metrics, wanted);
  if (isNew && found.metrics.length) return readCurves(); // once more, now that the metrics are known
  curves.set(found.items, select.value || null, train);
  for (const one of late) if (one.reports) curves.append(one.number, one.reports);
  document.getElementById("curves-empty").hidden = found.items.length > 0;
  return undefined;
});

/** Offer the metrics to choose from. @returns {boolean} whether there were others before */
function offer(metrics, wanted) {
  const names = choices(metrics);
  const trains = JSON.stringify(metrics.filter((one) => !names.includes(one)));
  const before = [...select.options].map((one) => one.value);
  if (names.join("\n") === before.join("\n") && trains === (select.dataset.trains ?? "[]")) return false;
  select.dataset.trains = trains;
  select.closest("label").hidden = names.length === 0;
  select.replaceChildren(...names.map((one) => new Option(one, one)));
  select.value = names.includes(wanted) ? wanted : names.includes(objective) ? objective : (names[0] ?? "");
  return true;
}

const soonHead = calmly(readHead, 500);
const soonCurves = calmly(readCurves, 1000);
const soonTable = calmly(table.load, 1000);
const soonParallel = calmly(readParallel, 2000);

function keep(event) {
  if (readers > 0) late.add(event);
}

listen(name, {
  async fresh() {
    await Promise.all([readHead(), readHistory(), readParallel(), table.load()]);
    await readCurves();
  },
  study: soonHead,
  trial(event) {
    if (!event.trial) return;
    keep(event);
    const { trial } = event;
    const again = attempts.has(trial.number) && attempts.get(trial.number) !== trial.attempt;
    attempts.set(trial.number, trial.attempt);
    history.update(trial);
    document.getElementById("history-empty").hidden = true;
    curves.update(trial);
    soonHead();
    soonTable();
    if (trial.value !== null) soonParallel();
    if (again || choose(history.all(), direction).some((one) => !curves.has(one))) soonCurves();
  },
  report(event) {
    keep(event);
    const metrics = new Set(event.reports.flatMap((one) => Object.keys(one.metrics)));
    const known = [...select.options].map((one) => one.value).concat(JSON.parse(select.dataset.trains ?? "[]"));
    if ([...metrics].some((one) => !known.includes(one))) return soonCurves();
    if (curves.has(event.number) || choose(history.all(), direction).includes(event.number)) {
      curves.append(event.number, event.reports);
    }
    return undefined;
  },
});

select.addEventListener("change", () => {
  remember("metric", select.value === objective ? null : select.value);
  readCurves();
});
const dialog = document.getElementById("really");

async function act(what) {
  try {
    await call("POST", `${base}/${what}`);
    await readHead();
  } catch (error) {
    failed(error);
  }
}

document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element ? target.closest("#actions button") : null;
  if (button) button.name === "cancel" ? dialog.showModal() : act(button.name);
});
dialog.addEventListener("close", () => {
  if (dialog.returnValue === "cancel") act("cancel");
  dialog.returnValue = "";
});
wireCopies();
