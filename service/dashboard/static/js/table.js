// The table of trials: paged by the API's cursor, filtered by state, ordered; its choices stand in the address.

import { recall, remember } from "./address.js";
import { call } from "./api.js";
import { STATES, shown, shownParam } from "./charts.js";

const PAGE = 25;
const MOST = 1000; // what the API gives in one page

/**
 * @param {HTMLElement} root holds selects named state and order, a table, a button for more and a note
 * @param {{name: string, base: string, params: {name: string, numeric: boolean}[], failed: (error: unknown) => void}} study
 */
export function createTable(root, study) {
  const body = root.querySelector("tbody");
  const more = root.querySelector("button[name=more]");
  const note = root.querySelector("[data-note]");
  const selects = [...root.querySelectorAll("select")];
  let cursor = null;
  let asked = 0;
  let picked = null;

  for (const select of selects) {
    const wanted = recall(select.name);
    if ([...select.options].some((one) => one.value === wanted)) select.value = wanted;
    select.addEventListener("change", () => {
      remember(select.name, select.value === select.options[0].value ? null : select.value);
      load(PAGE);
    });
  }
  more.addEventListener("click", () => page(cursor, PAGE, true));

  async function page(from, limit, adds) {
    const mine = (asked += 1);
    const query = new URLSearchParams({ limit: String(Math.min(limit, MOST)) });
    for (const { name, value } of selects) if (value) query.set(name, value);
    if (from) query.set("cursor", from);
    try {
      const found = await call("GET", `${study.base}/trials?${query}`);
      if (mine === asked) show(found, adds);
    } catch (error) {
      study.failed(error);
    }
  }

  function show(found, adds) {
    const rows = found.items.map((trial) => row(trial, study));
    if (adds) body.append(...rows);
    else body.replaceChildren(...rows);
    cursor = found.next_cursor;
    more.hidden = cursor === null;
    note.hidden = body.children.length > 0;
    const filtered = selects.some(({ name, value }) => name === "state" && value);
    note.textContent = filtered ? "No trial is in this state." : "No trial yet: the first one is made when a worker asks.";
    dim();
  }

  function dim() {
    for (const one of body.children) one.classList.toggle("unpicked", picked !== null && !picked.has(one.dataset.trial));
  }

  const load = (limit) => page(null, limit, false);
  return {
    load: () => load(Math.max(PAGE, body.children.length)),
    /** @param {number[]|null} numbers the trials picked in a chart */
    pick(numbers) {
      picked = numbers === null ? null : new Set(numbers.map(String));
      dim();
    },
  };
}

/** @param {string} state @returns {HTMLElement} a word, a colour and a shape */
export function badge(state) {
  const made = document.createElement("span");
  made.className = `badge badge-${state}`;
  made.textContent = `${STATES[state]?.shape ?? "●"} ${state}`;
  return made;
}

function row(trial, study) {
  const made = document.createElement("tr");
  made.dataset.trial = String(trial.number);
  const link = document.createElement("a");
  link.href = `/studies/${encodeURIComponent(study.name)}/trials/${trial.number}`;
  link.textContent = String(trial.number);
  const value = cell(shown(trial.value), "num");
  value.title = trial.value === null ? "" : String(trial.value);
  made.append(cell(link, "num"), cell(badge(trial.state)), value);
  for (const { name, numeric } of study.params) made.append(param(trial.params, name, numeric));
  made.append(cell(trial.last_step === null ? "–" : String(trial.last_step), "num minor"), cell(lasted(trial), "num"));
  return made;
}

function param(params, name, numeric) {
  const kind = numeric ? "num minor" : "minor";
  if (!(name in params)) return cell("–", kind);
  const made = cell(shownParam(params[name]), kind);
  made.title = String(params[name]);
  return made;
}

function cell(content, kind = "") {
  const made = document.createElement("td");
  made.className = kind;
  made.append(content);
  return made;
}

/** How long a trial ran. @param {{started_at: string|null, finished_at: string|null}} trial @returns {string} */
export function lasted({ started_at: from, finished_at: to }) {
  return from && to ? duration((Date.parse(to) - Date.parse(from)) / 1000) : "–";
}

/** @param {number} seconds @returns {string} */
export function duration(seconds) {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return seconds < 86400 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86400)} d`;
}

/** @param {string} since an ISO time @returns {string} */
export function ago(since) {
  const seconds = (Date.now() - Date.parse(since)) / 1000;
  return seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}
