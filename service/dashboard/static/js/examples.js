// The first examples of a data set: a table's rows, pictures, small lines of sequences, or texts, each with its target.

import { call } from "./api.js";
import { SERIES, shown } from "./charts.js";

const MOST = 20;
const LINE = { width: 160, height: 40, edge: 2 };
const SVG = "http://www.w3.org/2000/svg";

/**
 * The API's first examples.
 * @typedef {{width: number, height: number, channels: number, pixels: string}} Pixels
 * @typedef {{form: string, target: string|null, columns: string[]|null, note: string, items: {x: any, y: any}[]}} Examples
 */

/** Read and show them, once. @param {string} name the set's @param {HTMLElement} place */
export async function fill(name, place) {
  if (place.dataset.read) return;
  place.dataset.read = "yes";
  place.textContent = "reading…";
  try {
    show(await call("GET", `/api/v1/datasets/${encodeURIComponent(name)}/rows?limit=${MOST}`), place);
  } catch (error) {
    place.textContent = `The rows were not read. ${error.message}`;
    delete place.dataset.read; // opened again, it is tried again
  }
}

/** @param {Examples} found @param {HTMLElement} place */
function show(found, place) {
  const made = found.items.length ? [found.columns ? table(found) : list(found)] : [];
  if (found.note) made.push(element("p", "muted", found.note));
  place.replaceChildren(...made);
}

function table(found) {
  const scrolled = element("div", "scrolled");
  const made = document.createElement("table");
  made.className = "table";
  const heads = [...found.columns, found.target ?? "target"];
  made.createTHead().insertRow().append(...heads.map((name) => element("th", "", name)));
  const body = made.createTBody();
  for (const { x, y } of found.items) body.insertRow().append(...[...x, y].map(cell));
  scrolled.tabIndex = 0; // so that keys scroll it
  scrolled.setAttribute("role", "group");
  scrolled.setAttribute("aria-label", "first rows");
  scrolled.append(made);
  return scrolled;
}

const cell = (value) => element("td", typeof value === "number" ? "num" : "", words(value));

function list(found) {
  const made = element("ul", found.form === "image" ? "pictures" : "");
  made.append(...found.items.map(({ x, y }) => {
    const one = element("li", "");
    const told = words(y);
    one.append(example(found.form, x, told));
    if (told) one.append(element("span", "muted", told));
    return one;
  }));
  return made;
}

function example(form, x, told) {
  if (form === "image") return picture(x, told);
  return form === "sequence" ? line(x, told) : element("span", "num", x);
}

/** @param {any} y a class, a number, a text, a class by head, or one for each step @returns {string} */
function words(y) {
  if (y === null) return "";
  if (Array.isArray(y)) return y.map((one) => (one === null ? "·" : words(one))).join(" ");
  if (typeof y === "object") return Object.entries(y).map(([head, one]) => `${head} ${one ?? "unknown"}`).join(", ");
  return typeof y === "number" ? shown(y) : String(y);
}

/** @param {Pixels} x @param {string} told */
function picture({ width, height, channels, pixels }, told) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const bytes = atob(pixels);
  const image = new ImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    for (let colour = 0; colour < 3; colour++) image.data[4 * at + colour] = bytes.charCodeAt(at * channels + (channels === 3 ? colour : 0));
    image.data[4 * at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `picture: ${told}`);
  return canvas;
}

/** A sequence's features as lines. @param {(number|string)[][]} steps @param {string} told */
function line(steps, told) {
  const { width, height, edge } = LINE;
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", `0 0 ${width} ${height}`);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", `sequence of ${steps.length} steps: ${told}`);
  const finite = steps.flat().filter((one) => typeof one === "number");
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const across = (width - 2 * edge) / Math.max(1, steps.length - 1);
  const up = (value) => height - edge - (height - 2 * edge) * (high > low ? (value - low) / (high - low) : 0.5);
  for (let feature = 0; feature < (steps[0]?.length ?? 0); feature++) {
    const drawn = document.createElementNS(SVG, "polyline");
    const places = steps.map((step, at) => ({ at, value: step[feature] })).filter(({ value }) => typeof value === "number");
    drawn.setAttribute("points", places.map(({ at, value }) => `${(edge + at * across).toFixed(1)},${up(value).toFixed(1)}`).join(" "));
    drawn.setAttribute("stroke", SERIES[feature]);
    made.append(drawn);
  }
  return made;
}

function element(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}
