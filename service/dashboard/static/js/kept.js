// What the trial keeps, drawn: each file is read when it is there or is another one than before.

import { call } from "./api.js";
import { createConfusion, inWords, isConfusion } from "./confusion.js";
import { createRidges, createSpread, isHistograms } from "./histograms.js";
import { createMistakes, isMistakes } from "./mistakes.js";
import { shown } from "./charts.js";

const LARGEST = 8e6; // bytes: larger files are no such files, and for downloading

/**
 * @typedef {(element: HTMLElement, name: string, option: () => object, file?: string) => void} Tools what stands beside
 *   a chart of this trial; `file`: what it is drawn from, where that isn't the trial itself
 * @param {Tools} tools
 * @returns {(best: number|null) => Promise<void>} reads what the page's list of files names; `best` is the best step
 */
export function createKept(tools) {
  const drawn = {
    "confusion.json": confusions(tools),
    "mistakes.json": mistakes,
    "histograms.json": histograms(tools),
    "gradient_check.json": checked,
  };
  const read = new Map();
  return async (best) => {
    await Promise.all([...document.querySelectorAll("#artifacts [data-file]")].map(async (link) => {
      const { file, version, size } = link.dataset;
      if (!(file in drawn) || read.get(file) === version || Number(size) > LARGEST) return;
      const found = await call("GET", link.getAttribute("href"));
      read.set(file, version);
      drawn[file](found, best);
    }));
  };
}

const place = (id) => document.getElementById(id);
/** The parts of the page that hold figures stand hidden until there is something to see. */
function reveal(...ids) {
  for (const id of ids) place(id).hidden = false;
}

/** @type {ReturnType<typeof createMistakes>|null} */
let table = null;

function mistakes(found) {
  if (!isMistakes(found)) return;
  reveal("mistaken", "mistakes");
  table ??= createMistakes(place("mistakes"));
  table.set(found.rows);
}

/** @param {Tools} tools */
function confusions(tools) {
  let chart = null;
  return (found) => {
    if (!isConfusion(found)) return;
    reveal("mistaken", "confusion");
    place("confusion").classList.toggle("wide", found.classes.length > 12);
    place("confusion-words").textContent = inWords(found);
    if (!chart) {
      const element = place("confusion-chart");
      chart = createConfusion(element, { found, pick: (from, to) => table?.pick(from, to) });
      tools(element, "confusion", chart.option, "confusion.json");
    }
    chart.set(found);
  };
}

/** @param {Tools} tools */
function histograms(tools) {
  /** @type {import("./histograms.js").View|null} */
  let view = null;
  let charts = [];
  const [kind, layer] = [place("kind"), place("layer")];
  const draw = () => {
    Object.assign(view, { kind: kind.value, layer: layer.value });
    place("ridges-of").textContent = `${layer.value}, one for each step`;
    for (const one of charts) one.draw();
  };
  const offer = () => {
    const before = layer.value;
    const names = Object.keys(view.found[kind.value]);
    layer.replaceChildren(...names.map((name) => new Option(name)));
    layer.value = names.includes(before) ? before : (names.findLast((name) => !name.endsWith("bias")) ?? names.at(-1) ?? "");
    draw();
  };
  kind.addEventListener("change", offer);
  layer.addEventListener("change", draw);
  return (found, best) => {
    if (!isHistograms(found)) return;
    reveal("layers", "spread", "ridges", "layers-choice");
    const isFirst = view === null;
    view = { ...(view ?? { kind: "activations", layer: "" }), found, best };
    const choose = (name) => {
      layer.value = name;
      draw();
    };
    const now = () => view;
    if (isFirst) {
      charts = [createSpread(place("spread-chart"), now, choose), createRidges(place("ridges-chart"), now)];
      ["spread", "ridges"].forEach((of, i) => tools(place(`${of}-chart`), of, charts[i].option, "histograms.json"));
    }
    offer();
  };
}

function checked(found) {
  if (typeof found?.checked !== "number") return;
  const worst = Array.isArray(found.worst?.index) ? found.worst : null;
  const apart = worst ? shown(Math.abs(worst.gradient - worst.difference)) : "";
  const where = worst ? `${worst.parameter}[${worst.index.join(", ")}]` : "";
  const far = worst ? ` They differ most at ${where}: by ${apart}, of ${shown(worst.gradient)}.` : "";
  const kinks = found.kinks ? ` ${shown(found.kinks)} lie at a kink and could not be judged.` : "";
  reveal("layers");
  place("checked").textContent = `Gradients checked: ${found.checked} entries agree with finite differences.${far}${kinks}`;
}
