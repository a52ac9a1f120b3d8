// A study's page: its head, its tabs, and the one stream of events that both follow.

import { call } from "./api.js";
import { createExtend } from "./extend.js";
import { calmly, listen } from "./live.js";
import { failed, reading, refresh, wireCopies, works } from "./parts.js";
import { createTabs } from "./tabs.js";

const root = document.getElementById("study");
const { name, metric, direction, place } = root.dataset;
const base = `/api/v1/studies/${encodeURIComponent(name)}`;

/**
 * What every tab is given.
 * @typedef {{name: string, base: string, metric: string|null, direction: string,
 *   params: {name: string, numeric: boolean}[], open: (number: number) => void, failed: (error: unknown) => void,
 *   best: () => number|null, pick: (numbers: number[]|null) => void, show: (tab: string) => void}} Study
 * `base`: the study's address in the API; `open`: go to a trial's page; `best`: the number of the best trial; `pick`:
 * pick trials out, in every tab; `show`: open another tab
 * @type {Study}
 */
const study = {
  name,
  base,
  metric: metric || null,
  direction,
  params: JSON.parse(root.dataset.params),
  open: (number) => location.assign(`/studies/${encodeURIComponent(name)}/trials/${number}`),
  failed,
  best() {
    const { number } = document.getElementById("best").dataset;
    return number === "" ? null : Number(number);
  },
  pick: (numbers) => tabs.picked(numbers === null ? null : new Set(numbers)),
  show: (tab) => tabs.show(tab),
};
const tabs = createTabs(document.querySelector("[role=tablist]"), study, { failed, works });
const readHead = reading(refresh);
const soonHead = calmly(readHead, 500);

listen(name, {
  fresh: () => Promise.all([readHead(), tabs.fresh()]),
  study(event) {
    soonHead();
    tabs.tell("study", event);
  },
  trial(event) {
    if (!event.trial) return;
    soonHead();
    tabs.tell("trial", event);
  },
  report: (event) => tabs.tell("report", event),
  artifact: (event) => tabs.tell("artifact", event),
}, place);
tabs.fresh();

const dialog = document.getElementById("really");
const extend = createExtend(base, readHead);

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
  if (!button) return;
  if (button.name === "cancel") dialog.showModal();
  else if (button.name === "extend") extend?.open();
  else act(button.name);
});
dialog.addEventListener("close", () => {
  if (dialog.returnValue === "cancel") act("cancel");
  dialog.returnValue = "";
});
wireCopies();
