// A table of trials of any length: only the rows that are seen are in the page. And how trials are said in a few words.

import { STATES, shown, shownParam } from "./charts.js";

const BEYOND = 12; // rows kept ready above and below those that are seen
const AHEAD = 60; // rows before the end at which more are asked for

/**
 * A column: its key is the API's name of it, by which rows are ordered where `order` is set; `cell` fills its cells.
 * `mirrored`: that order puts the greatest first.
 * @typedef {{key: string, name: string, numeric: boolean, minor: boolean, order?: string, mirrored?: boolean,
 *   cell: (trial: any) => {text: string|Node, title?: string}}} Column
 */

/**
 * @param {HTMLElement} root scrolls, and holds a table
 * @param {{open: (number: number) => void, link: (number: number) => string, more: () => void,
 *   sort: (order: string) => void}} study `more`: rows near the end are seen; `sort`: a column's head was chosen
 */
export function createTable(root, study) {
  const [head, body] = [root.querySelector("thead"), root.querySelector("tbody")];
  const [above, below] = [gap(), gap()];
  /** @type {any[]} */
  let items = [];
  /** @type {Column[]} */
  let columns = [];
  /** @type {Map<number, {trial: any, row: HTMLTableRowElement}>} */
  let made = new Map();
  /** @type {Set<number>|null} */
  let picked = null;
  let height = 33;
  let asked = 0;
  let current = 0;

  const soon = () => (asked ||= requestAnimationFrame(render));

  function render() {
    asked = 0;
    const first = Math.max(0, Math.floor((root.scrollTop - head.offsetHeight) / height) - BEYOND);
    const last = Math.min(items.length, first + Math.ceil(root.clientHeight / height) + 2 * BEYOND);
    const before = made;
    made = new Map();
    const seen = items.slice(first, last).map((trial) => {
      const known = before.get(trial.number);
      const row = known?.trial === trial ? known.row : draw(trial);
      made.set(trial.number, { trial, row });
      row.classList.toggle("unpicked", picked !== null && !picked.has(trial.number));
      return row;
    });
    const focused = body.contains(document.activeElement) ? Number(document.activeElement.closest("tr").dataset.trial) : null;
    above.querySelector("td").style.height = `${first * height}px`;
    below.querySelector("td").style.height = `${(items.length - last) * height}px`;
    place([above, ...seen, below]);
    for (const row of seen) row.tabIndex = Number(row.dataset.trial) === items[current]?.number ? 0 : -1;
    if (seen[0] && (current < first || current >= last)) seen[0].tabIndex = 0; // the table can always be tabbed into
    if (focused !== null && made.has(focused) && document.activeElement === document.body) made.get(focused).row.focus({ preventScroll: true });
    measure(seen[0]);
    if (last > items.length - AHEAD) study.more();
  }

  /** Only what differs is moved, so that nothing that is seen loses its place or its focus. */
  function place(rows) {
    const wanted = new Set(rows);
    for (const one of [...body.children]) if (!wanted.has(one)) one.remove();
    rows.forEach((one, at) => body.children[at] !== one && body.insertBefore(one, body.children[at] ?? null));
  }

  function measure(row) {
    const found = row?.getBoundingClientRect().height;
    if (found && Math.abs(found - height) > 0.5) {
      height = found;
      soon();
    }
    for (const one of head.querySelectorAll("th")) one.style.minWidth = `${one.offsetWidth}px`; // widths only grow
  }

  function draw(trial) {
    const row = document.createElement("tr");
    row.dataset.trial = String(trial.number);
    row.append(...columns.map((column) => {
      const { text, title } = column.cell(trial);
      const cell = document.createElement("td");
      cell.className = [column.numeric && "num", column.minor && "minor"].filter(Boolean).join(" ");
      if (title) cell.title = title;
      if (column.key === "number") cell.append(link(trial.number));
      else cell.append(text);
      if (["value", "duration"].includes(column.key)) cell.dataset.label = column.name;
      return cell;
    }));
    return row;
  }

  function link(number) {
    const made = document.createElement("a");
    [made.href, made.textContent, made.tabIndex] = [study.link(number), String(number), -1];
    return made;
  }

  function move(to) {
    current = Math.max(0, Math.min(items.length - 1, to));
    const top = current * height;
    const room = root.clientHeight - head.offsetHeight;
    if (top < root.scrollTop) root.scrollTop = top;
    if (top + height > root.scrollTop + room) root.scrollTop = top + height - room;
    cancelAnimationFrame(asked);
    render();
    made.get(items[current]?.number)?.row.focus({ preventScroll: true });
  }

  body.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(root.clientHeight / height) - 2);
    const to = {
      ArrowDown: current + 1, ArrowUp: current - 1, PageDown: current + page, PageUp: current - page, Home: 0, End: items.length - 1,
    }[event.key];
    if (event.key === "Enter" && items[current]) study.open(items[current].number);
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });
  body.addEventListener("focusin", ({ target }) => {
    const at = items.findIndex((one) => String(one.number) === target.closest("tr")?.dataset.trial);
    if (at >= 0) current = at;
  });
  body.addEventListener("click", ({ target }) => {
    const row = target instanceof Element && !target.closest("a") ? target.closest("tr[data-trial]") : null;
    if (row && !getSelection()?.toString()) study.open(Number(row.dataset.trial));
  });
  head.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("button") : null;
    if (button) study.sort(button.dataset.order);
  });
  root.addEventListener("scroll", soon, { passive: true });
  new ResizeObserver(soon).observe(root);

  return {
    /** @param {Column[]} chosen the first is the trial's number @param {string} order by which rows are sorted now */
    setColumns(chosen, order) {
      columns = chosen;
      made.clear();
      head.replaceChildren(document.createElement("tr"));
      head.firstChild.append(...columns.map((one) => heading(one, order)));
      for (const one of [above, below]) one.querySelector("td").colSpan = columns.length;
      soon();
    },
    /** @param {any[]} trials all that are known, in order */
    set(trials) {
      const before = items[current]?.number;
      items = trials;
      current = Math.max(0, items.findIndex((one) => one.number === before));
      soon();
    },
    /** @param {Set<number>|null} numbers picked out in a chart: the others are dimmed */
    pick(numbers) {
      picked = numbers;
      soon();
    },
    toTop: () => (root.scrollTop = 0),
  };
}

function gap() {
  const made = document.createElement("tr");
  made.className = "gap";
  made.append(document.createElement("td"));
  made.setAttribute("aria-hidden", "true");
  return made;
}

function heading(column, order) {
  const made = document.createElement("th");
  made.className = [column.numeric && "num", column.minor && "minor"].filter(Boolean).join(" ");
  made.scope = "col";
  made.title = column.name;
  if (!column.order) {
    made.append(column.name);
    return made;
  }
  const key = column.order.replace(/^-/, "");
  const ways = column.mirrored ? ["descending", "ascending"] : ["ascending", "descending"];
  const way = order === key ? ways[0] : order === `-${key}` ? ways[1] : null;
  if (way) made.ariaSort = way;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sort";
  button.dataset.order = order === column.order ? turned(order) : column.order;
  button.textContent = `${column.name}${way === "ascending" ? " ▲" : way ? " ▼" : ""}`;
  made.append(button);
  return made;
}

const turned = (order) => (order.startsWith("-") ? order.slice(1) : `-${order}`);

/** A parameter's cell. @param {Record<string, unknown>} params @param {string} name */
export function paramCell(params, name) {
  return name in params ? { text: shownParam(params[name]), title: String(params[name]) } : { text: "–" };
}

/** @param {number|string|null} value @returns {{text: string, title?: string}} short, and in full on hover */
export function numberCell(value) {
  return value === null ? { text: "–" } : { text: shown(value), title: String(value) };
}

/** @param {string} state @returns {HTMLElement} a word, a colour and a shape */
export function badge(state) {
  const made = document.createElement("span");
  made.className = `badge badge-${state}`;
  made.textContent = `${STATES[state]?.shape ?? "●"} ${state}`;
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
