// The tab Parameters: which parameters, and which values of them, made good trials. What takes longest, how important each
// is, comes last; the parameters keep the order in which they were shown first, so that nothing jumps while one looks.

import { recall, remember } from "../address.js";
import { call } from "../api.js";
import { createContour } from "../contour.js";
import { addTools } from "../figure_tools.js";
import { createImportance, importanceRows, importanceWords } from "../importance.js";
import { calmly } from "../live.js";
import { createParallel } from "../parallel.js";
import { createRank } from "../rank.js";
import { MOST, createSlices } from "../slices.js";

const [SOON, LATER] = [2000, 10_000]; // milliseconds between two readings

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const part = (id) => panel.querySelector(`#${id}`);
  const field = (name) => panel.querySelector(`[name=${name}]`);
  const [method, pairX, pairY] = ["importance", "pair-x", "pair-y"].map(field);
  const names = study.params.map((one) => one.name);
  let order = names;
  let [isOrdered, isBrushing] = [false, false];
  let seen = new URLSearchParams(); // the pair that is drawn

  const importance = createImportance(part("importance"), { chosen });
  const parallel = createParallel(part("parallel"), { open: study.open, picked: brushed });
  const slices = createSlices(part("slices"), { open: study.open, log: field("log-slices") });
  const contour = createContour(part("contour"), { open: study.open });
  const rank = createRank(part("rank"), { open: study.open });

  const address = {
    importance: () => `${study.base}/analysis/importance?method=${method.value}`,
    slices: () => `${study.base}/analysis/slice`,
    contour: () => `${study.base}/analysis/contour?${pair()}`,
    rank: () => `${study.base}/analysis/rank?${pair()}`,
  };
  const pair = () => new URLSearchParams({ x: pairX.value, y: pairY.value });

  async function readTrials() {
    const found = await call("GET", address.slices());
    parallel.set(found, order);
    slices.set(found, order);
    for (const id of ["parallel", "slices"]) tell(id, found.items.length === 0, found.note);
    const most = `showing the ${MOST} of ${found.axes.length} parameters that matter most`;
    part("slices-most").textContent = found.axes.length > MOST ? most : "";
  }

  async function readImportance() {
    const mine = method.value;
    const found = await call("GET", address.importance());
    if (mine !== method.value) return; // something else was chosen meanwhile
    importance.set(found);
    part("importance").hidden = found.items.length === 0;
    part("importance-table").hidden = found.items.length === 0;
    part("importance-words").textContent = importanceWords(found);
    tell("importance", false, found.note);
    fillTable(part("importance-table").querySelector("tbody"), importanceRows(found));
    if (!isOrdered && found.items.length) arrange(found.items.map((one) => one.name));
  }

  /** The parameters in this order from now on; the first two are the pair, unless another one was chosen. */
  function arrange(first) {
    isOrdered = true;
    order = [...first, ...names.filter((name) => !first.includes(name))];
    parallel.arrange(order);
    slices.arrange(order);
    const before = String(pair());
    offer();
    if (String(pair()) !== before) trying(readPair)();
  }

  function offer() {
    for (const [select, key, at] of [[pairX, "pair-x", 0], [pairY, "pair-y", 1]]) {
      const kept = recall(key);
      select.replaceChildren(...order.map((name) => new Option(name, name)));
      select.value = names.includes(kept) ? kept : (order[at] ?? "");
    }
    if (pairX.value === pairY.value) pairY.value = order.find((name) => name !== pairX.value) ?? "";
  }

  async function readPair() {
    if (names.length < 2) return;
    seen = pair();
    const asked = String(seen);
    const [surface, ranks] = await Promise.all([call("GET", address.contour()), call("GET", address.rank())]);
    if (asked !== String(pair())) return; // something else was chosen meanwhile
    contour.set(surface);
    rank.set(ranks);
    tell("contour", surface.items.length === 0, [surface.blank, surface.note].filter(Boolean).join(" "));
    tell("rank", ranks.items.length === 0, ranks.note);
  }

  /** Picked by the parallel coordinates, which show it themselves. @param {number[]|null} numbers */
  function brushed(numbers) {
    isBrushing = true;
    study.pick(numbers);
    isBrushing = false;
  }

  /** Say that there is nothing to draw yet, or of what it is drawn. */
  function tell(id, isEmpty, note) {
    const empty = part(`${id}-empty`);
    if (empty) empty.hidden = !isEmpty;
    part(`${id}-note`).textContent = note;
  }

  /** Another parameter is looked at: on the x axis, the one that was there goes to the other. @param {string} name */
  function chosen(name) {
    if (names.length < 2 || name === pairX.value) return;
    [pairX.value, pairY.value] = [name, name === pairY.value ? pairX.value : pairY.value];
    paired();
    part("contour").closest("figure").scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  function paired() {
    remember("pair-x", pairX.value);
    remember("pair-y", pairY.value);
    trying(readPair)();
  }

  const trying = (read) => () => read().catch(study.failed);
  const soonTrials = calmly(trying(readTrials), SOON);
  const soonPair = calmly(trying(readPair), SOON);
  const soonImportance = calmly(trying(readImportance), LATER);
  for (const [select, other] of [[pairX, pairY], [pairY, pairX]]) {
    select.addEventListener("change", () => {
      const before = seen.get(select.name === "pair-x" ? "x" : "y");
      if (select.value === other.value) other.value = before; // they change places
      paired();
    });
  }
  method.value = recall("importance") ?? "fanova";
  if (!method.value) method.value = "fanova";
  method.addEventListener("change", () => {
    remember("importance", method.value === "fanova" ? null : method.value);
    trying(readImportance)();
  });
  offer();
  part("pair").hidden = names.length < 2;
  const size = (element) => () => ({ width: element.clientWidth, height: element.clientHeight });
  for (const [id, chart] of Object.entries({ importance, parallel, slices, contour, rank })) {
    const data = address[id] ?? (() => `${study.base}/analysis/parallel`);
    addTools(part(id), { name: id, study: study.name, option: chart.option, data, size: size(part(id)) });
  }

  function soon() {
    soonTrials();
    soonPair();
    soonImportance();
  }

  return {
    async fresh() {
      await Promise.all([readTrials(), readPair()]);
      soonImportance();
    },
    study: soon,
    trial({ trial }) {
      if (trial.value !== null) soon();
    },
    picked(numbers) {
      for (const chart of [slices, contour, rank]) chart.pick(numbers);
      parallel.pick(isBrushing ? null : numbers);
    },
  };
}

/** @param {HTMLElement} body @param {string[][]} rows the first cell of each heads it */
function fillTable(body, rows) {
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text, i) => Object.assign(document.createElement(i ? "td" : "th"), { textContent: text, className: i ? "num" : "" })));
    row.firstElementChild.setAttribute("scope", "row");
    return row;
  }));
}
