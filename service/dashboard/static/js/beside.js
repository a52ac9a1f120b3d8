// The trial in question, told beside a chart: its state, value, parameters, why it ended so, and the way to its page.

import { call } from "./api.js";
import { STATES, shown, shownParam } from "./charts.js";
import { atRest } from "./live.js";

const KEPT = 500; // trials that are over change no more, so they are asked for once

/**
 * @param {HTMLElement} place @param {{name: string, base: string, metric: string|null, failed: (error: unknown) => void}} study
 */
export function createBeside(place, study) {
  /** @type {Map<number, any>} */
  const known = new Map();
  let wanted = null;

  async function read() {
    const number = wanted;
    if (number === null) return;
    if (!known.has(number)) keep(await call("GET", `${study.base}/trials/${number}`));
    if (number === wanted) show(known.get(number));
  }

  function keep(trial) {
    if (known.size >= KEPT) known.delete(known.keys().next().value);
    known.set(trial.number, trial);
  }

  function show(trial) {
    const link = Object.assign(document.createElement("a"), { textContent: `trial ${trial.number}` });
    link.href = `/studies/${encodeURIComponent(study.name)}/trials/${trial.number}`;
    const state = Object.assign(document.createElement("span"), { className: `tally tally-${trial.state}`, textContent: ` ${STATES[trial.state].shape} ${trial.state}` });
    const head = line("beside-head", link, state);
    const value = line("num beside-value", trial.value === null ? "no value yet" : shown(trial.value));
    if (trial.value !== null) value.title = `${study.metric ?? "value"} ${trial.value}`;
    const reason = trial.error?.trim().split("\n").at(-1) ?? trial.reason;
    const params = document.createElement("dl");
    params.append(...Object.entries(trial.params).map(([name, one]) => param(name, one)));
    place.replaceChildren(head, value, ...(reason ? [line("muted beside-reason", reason)] : []), params);
  }

  const soon = atRest(() => read().catch(study.failed), 60);
  return {
    /** @param {number|null} number the trial to tell of */
    point(number) {
      if (number === null || number === wanted) return;
      wanted = number;
      soon();
    },
    /** What was known of a trial is old. @param {number} number */
    forget(number) {
      known.delete(number);
      if (number === wanted) soon();
    },
    isEmpty: () => wanted === null,
  };
}

function line(classes, ...parts) {
  const made = document.createElement("div");
  made.className = classes;
  made.append(...parts);
  return made;
}

function param(name, value) {
  const made = document.createElement("div");
  const [term, said] = [document.createElement("dt"), document.createElement("dd")];
  [term.textContent, said.textContent, said.className, said.title] = [name, shownParam(value), "num", String(value)];
  made.append(term, said);
  return made;
}
