// The tab Trials: the table of all trials, read from the API page by page as it is scrolled.

import { recall, remember } from "../address.js";
import { call } from "../api.js";
import { createFilters } from "../filters.js";
import { calmly } from "../live.js";
import { ago, badge, createTable, lasted, numberCell, paramCell } from "../table.js";

const PAGE = 200;
const MOST = 1000; // what the API gives in one page
const MOST_NUMBERS = 2000; // that it takes in one question
const WIDE = 12; // parameters of which the columns are shown unasked

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const root = panel.querySelector("#trials");
  const [told, note, csv] = ["shown", "note", "csv"].map((one) => root.querySelector(`[data-${one}]`));
  const order = root.querySelector("select[name=order]");
  const columns = columnsOf(study);
  let chosen = chosenColumns(columns);
  /** @type {any[]} */
  let items = [];
  let cursor = null;
  let asked = 0;
  let isReading = false;

  const filters = createFilters(root, study, renew);
  const table = createTable(root.querySelector(".rows"), {
    open: study.open,
    link: (number) => `/studies/${encodeURIComponent(study.name)}/trials/${number}`,
    more: () => cursor !== null && !isReading && more().catch(study.failed),
    sort: (wanted) => sort(wanted),
  });
  const wanted = recall("order");
  if ([...order.options].some((one) => one.value === wanted)) order.value = wanted;
  order.addEventListener("change", () => sort(order.value));
  offerColumns();
  show();

  function sort(wanted) {
    order.value = wanted;
    remember("order", wanted === order.options[0].value ? null : wanted);
    show();
    renew();
  }

  function show() {
    table.setColumns(columns.filter((one) => chosen.has(one.key)), order.value);
  }

  function query(more) {
    return filters.ask(new URLSearchParams(more), MOST_NUMBERS);
  }

  /** Something else is asked for: from the top. */
  function renew() {
    table.toTop();
    [items, cursor] = [[], null];
    read().catch(study.failed);
  }

  /** Read again what is known, and how many there are. Rows beyond one page stay as they are until they are scrolled to. */
  async function read() {
    const mine = (asked += 1);
    const limit = Math.min(Math.max(PAGE, items.length), MOST);
    const [found, all] = await Promise.all([
      call("GET", `${study.base}/trials?${query({ order: order.value, limit, count: true })}`),
      filters.isAny() ? call("GET", study.base) : null,
    ]);
    if (mine !== asked) return;
    const fresh = new Set(found.items.map((one) => one.number));
    const rest = items.slice(found.items.length).filter((one) => !fresh.has(one.number));
    if (!rest.length || found.next_cursor === null) cursor = found.next_cursor;
    items = found.next_cursor === null ? found.items : [...found.items, ...rest];
    table.set(items);
    tell(found.total, all && Object.values(all.counts).reduce((a, b) => a + b));
  }

  async function more() {
    const mine = asked;
    isReading = true;
    try {
      const found = await call("GET", `${study.base}/trials?${query({ order: order.value, limit: PAGE, cursor })}`);
      if (mine !== asked) return;
      cursor = found.next_cursor;
      const known = new Set(items.map((one) => one.number));
      items = [...items, ...found.items.filter((one) => !known.has(one.number))];
    } finally {
      isReading = false;
    }
    table.set(items);
  }

  function tell(total, all) {
    told.textContent = all === null ? `${total.toLocaleString()} in all` : `showing ${total.toLocaleString()} of ${all.toLocaleString()}`;
    csv.href = `${study.base}/export?${query({ format: "csv" })}`;
    csv.title = all === null ? "Download all trials" : `Download these ${total.toLocaleString()} trials`;
    note.hidden = total > 0;
    note.textContent = filters.isAny() ? "No trial passes these filters: remove one above." : "No trial yet: the first one is made when a worker asks.";
  }

  function offerColumns() {
    root.querySelector("[data-menu=columns] fieldset").append(...columns.slice(1).map((one) => {
      const [label, box] = [document.createElement("label"), document.createElement("input")];
      Object.assign(box, { type: "checkbox", checked: chosen.has(one.key) });
      box.addEventListener("change", () => {
        chosen[box.checked ? "add" : "delete"](one.key);
        const isUsual = columns.every(({ key, usual }) => usual === chosen.has(key));
        remember("columns", isUsual ? null : [...chosen].filter((key) => key !== "number").join(" "));
        show();
      });
      label.append(box, ` ${one.name}`);
      return label;
    }));
  }

  const soon = calmly(() => read().catch(study.failed), 1000);
  return {
    fresh: read,
    trial({ trial }) {
      const at = items.findIndex((one) => one.number === trial.number);
      if (at >= 0) {
        items = items.with(at, trial);
        table.set(items);
      }
      soon();
    },
    picked(numbers) {
      filters.pick(numbers);
      table.pick(numbers);
    },
  };
}

/** @returns {(import("../table.js").Column & {usual: boolean})[]} all that there are; `usual` ones are shown unasked */
function columnsOf(study) {
  const column = (key, name, cell, more = {}) => ({ key, name, cell, numeric: true, minor: true, usual: true, ...more });
  const since = (at) => (at ? { text: ago(at), title: at } : { text: "–" });
  return [
    column("number", "trial", (one) => ({ text: String(one.number) }), { minor: false, order: "-number" }),
    column("state", "state", (one) => ({ text: badge(one.state), title: one.reason ?? "" }), { minor: false, numeric: false }),
    column("value", study.metric ?? "value", (one) => numberCell(one.value), { minor: false, order: "value", mirrored: study.direction === "maximize" }),
    ...study.params.map(({ name, numeric }, at) =>
      column(`params.${name}`, name, (one) => paramCell(one.params, name), { numeric, order: `params.${name}`, usual: at < WIDE })),
    column("last_step", "last step", (one) => numberCell(one.last_step), { order: "-last_step" }),
    column("attempt", "attempt", (one) => numberCell(one.attempt), { usual: false }),
    column("worker", "worker", (one) => ({ text: one.worker ?? "–", title: one.worker ?? "" }), { numeric: false, usual: false }),
    column("started", "started", (one) => since(one.started_at), { usual: false }),
    column("finished", "finished", (one) => since(one.finished_at), { usual: false }),
    column("duration", "time", (one) => ({ text: lasted(one) }), { minor: false, order: "-duration" }),
  ];
}

/** @returns {Set<string>} the keys of the columns that the address names, else of the usual ones */
function chosenColumns(columns) {
  const named = recall("columns")?.split(" ");
  const wanted = columns.filter(({ key, usual }) => (named ? named.includes(key) : usual)).map((one) => one.key);
  return new Set(["number", ...wanted]);
}
