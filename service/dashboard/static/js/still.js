// One figure of a study by itself, as a file: what it is drawn from stands in the page, which asks no server for anything.
// The drawings are those of the dashboard.

import { STATES as LOOKS, token } from "./charts.js";
import { createContour } from "./contour.js";
import { trainOf } from "./curve_values.js";
import { createCurves } from "./curves.js";
import { createDistribution, distributionWords } from "./distribution.js";
import { createEarlyStopping } from "./early_stopping.js";
import { createHistory } from "./history.js";
import { createImportance, importanceWords } from "./importance.js";
import { createParallel } from "./parallel.js";
import { createRank } from "./rank.js";
import { createSlices } from "./slices.js";
import { createTimeline } from "./timeline.js";

/**
 * What the page holds: the figure's kind, what it is drawn from, and whose it is.
 * @typedef {{kind: string, study: string, url: string, made: string, figure: any}} Still
 * @typedef {{title: string, key: string[], empty: string, draw: (page: Page, found: any) => void}} Kind
 * @typedef {{open: (number: number) => void, place: (name?: string) => HTMLElement, say: (words: string) => void}} Page
 */

const nothing = () => {};
const STATES = ["✓ complete", "◐ stopped early", "✕ failed"];
const NO_VALUE = "No trial has a value yet.";

/** @type {Record<string, Kind>} */
const KINDS = {
  history: {
    title: "History", key: ["━ best so far", ...STATES], empty: "No trial yet.",
    draw: (page, found) => createHistory(page.place(), { ...found, open: page.open, pointed: nothing, shown: nothing }).set(found.items),
  },
  curves: {
    title: "Curves", key: ["━ validation", "┄ train", "◐ stopped early", "▲ best step"], empty: "No trial has reported anything yet.",
    draw(page, found) {
      const curves = createCurves(page.place(), { direction: found.direction, open: page.open, tops: true });
      curves.setBest(found.best);
      curves.set(found.items, found.metric, trainOf(found.metric ?? "", found.metrics));
    },
  },
  parallel: {
    title: "Parameters", key: ["one line for each trial", "the best tenth stands out"], empty: NO_VALUE,
    draw: (page, found) => createParallel(page.place(), { open: page.open, picked: nothing }).set(found),
  },
  importance: {
    title: "Importance", key: ["bar: share explained by the parameter alone", "┝━┥ where it lies with 90 % certainty"], empty: "",
    draw(page, found) {
      page.say(importanceWords(found));
      createImportance(page.place(), { chosen: nothing }).set(found);
    },
  },
  slice: {
    title: "Slices", key: ["stronger: later trials", "━ median", "○ stopped early"], empty: NO_VALUE,
    draw: (page, found) => createSlices(page.place(), { open: page.open, log: null }).set(found),
  },
  contour: {
    title: "Map", key: ["stronger: better", "◆ the best trial", "○ stopped early", "blank: nothing like it was tried"], empty: NO_VALUE,
    draw(page, found) {
      if (found.blank) page.say(found.blank);
      createContour(page.place(), { open: page.open }).set(found);
    },
  },
  rank: {
    title: "Ranks", key: ["blue: the best", "brown: the worst", "○ stopped early"], empty: NO_VALUE,
    draw: (page, found) => createRank(page.place(), { open: page.open }).set(found),
  },
  distribution: {
    title: "Distribution", key: ["━ ■ complete", "┅ □ stopped early"], empty: "No trial is complete yet.",
    draw(page, found) {
      page.say(distributionWords(found));
      createDistribution({ shares: page.place("shares"), counts: page.place("counts") }, null).set(found);
    },
  },
  early_stopping: {
    title: "Early stopping", key: ["◐ where it would have been stopped", "✓ in the end", "┄ the best of the others"], empty: "",
    draw(page, found) {
      page.say(found.words);
      if (found.items.length) createEarlyStopping(page.place(), { open: page.open }).set(found);
    },
  },
  timeline: {
    title: "Timeline", key: STATES, empty: "No trial was begun yet.",
    draw: (page, found) => createTimeline(page.place(), { open: page.open }).set(found),
  },
};

/** @param {string} tag @param {string} className @param {string} [text] */
const made = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });

/** @param {Still} still */
function show({ kind, study, url, made: when, figure }) {
  const { title, key, empty, draw } = KINDS[kind];
  const figures = document.querySelector("figure");
  const words = made("span", "muted", figure.note ?? "");
  const caption = made("figcaption", "");
  caption.append(made("h2", "", `${study}: ${title}`), words);
  figures.append(caption);
  const isEmpty = figure.items.length === 0;
  if (isEmpty && empty) figures.append(made("p", "empty", empty));
  else draw({ open: opener(url, study), place: (name = kind) => place(figures, name, title), say: (said) => (words.textContent = [said, figure.note].filter(Boolean).join(" ")) }, figure);
  const keys = made("p", "key muted");
  const source = /** @type {HTMLAnchorElement} */ (made("a", "", `${study}, ${when}`));
  source.href = `${url}/studies/${encodeURIComponent(study)}`;
  const isPausing = ["history", "timeline"].includes(kind) && figure.items.some((one) => one.state === "paused");
  keys.append(...(isEmpty ? [] : isPausing ? [...key, `${LOOKS.paused.shape} paused`] : key).map((text) => made("span", "", text)), source);
  figures.append(keys);
}

function place(figures, name, title) {
  const element = made("div", `chart still-${name}`);
  element.id = name;
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", title);
  figures.append(element);
  return element;
}

/** A trial's page, on the server, in a tab of its own. */
const opener = (url, study) => (number) => window.open(`${url}/studies/${encodeURIComponent(study)}/trials/${number}`, "_blank", "noopener");

document.body.style.background = token("--surface");
show(JSON.parse(document.getElementById("still").textContent));
