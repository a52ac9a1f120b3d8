// The page of a new study, a text and a form beside it: each follows the other. What is written is checked by the
// server, kept in this tab, and submitted once.

import { Refused, call } from "./api.js";
import { createEditor } from "./editor.js";
import { createForm } from "./form.js";

const PAUSE = 350; // milliseconds without typing until a check
const root = document.getElementById("new");
const verdict = document.getElementById("verdict");
const list = document.getElementById("mistakes");
const submitter = root.querySelector("button[name=submit]");
const over = root.querySelector("button[name=over]");
const start = document.getElementById("start");
const samplers = JSON.parse(root.dataset.samplers);
const kept = (search) => `trialbook:draft:${search}`;
const draft = kept(location.search);
const note = document.getElementById("form-note");
const lost = document.getElementById("lost");
const cells = document.getElementById("cells");
let timer = 0;
let shown = "";
let read = ""; // the text that the form shows
let before = ""; // the text before comments were lost
/** @type {import("./form.js").Change[]} */
let waiting = [];
let isEditing = false;
let checking = new AbortController();

const editor = createEditor(document.getElementById("editor"), { changed, submit, refused: (message) => show("wrong", message, []) });

const form = createForm(document.getElementById("form"), JSON.parse(root.dataset.options), (changes) => {
  waiting.push(...changes);
  edit();
});

/** Put the form's changes into the text, one after the other; what is typed meanwhile is not overwritten. */
async function edit() {
  if (isEditing) return;
  isEditing = true;
  while (waiting.length) {
    const [text, changes] = [editor.text(), waiting];
    waiting = [];
    try {
      const found = await call("POST", "/studies/new/draft", { text, changes });
      if (editor.text() !== text) {
        waiting = [...changes, ...waiting];
        continue;
      }
      if (found.lost.length) {
        before = text;
        lost.firstElementChild.textContent = `The form could not keep ${found.lost.length === 1 ? "a comment" : `${found.lost.length} comments`}: ${found.lost.join(" ")}`;
      }
      lost.hidden = found.lost.length === 0;
      read = found.text;
      editor.write(found.text);
      form.show(found.document);
    } catch (error) {
      say(`The form's change could not be made: ${error.message}`);
    }
  }
  isEditing = false;
}

/** Let the form show what the text says. */
async function follow() {
  const text = editor.text();
  if (text === read) return;
  try {
    const { document: found } = await call("POST", "/studies/new/draft", { text });
    if (editor.text() !== text || isEditing) return;
    read = text;
    form.show(found);
    say("");
  } catch (error) {
    const isText = error instanceof Refused && error.errors.length > 0;
    say(isText ? "The text is no YAML just now: the form shows what it said before." : `The form stands still: ${error.message}`);
  }
}

function say(words) {
  note.textContent = words;
  note.hidden = words === "";
}

/** @param {string} path @param {RequestInit} more @returns {Promise<{answer: Response, found: any}>} */
async function send(path, more) {
  const headers = { "content-type": "application/yaml", ...more.headers };
  const answer = await fetch(path, { method: "POST", body: editor.text(), ...more, headers });
  return { answer, found: await answer.json().catch(() => null) };
}

async function check() {
  checking.abort();
  follow();
  checking = new AbortController();
  const { signal } = checking;
  try {
    const { answer, found } = await send("/api/v1/studies/validate", { signal });
    if (signal.aborted) return;
    cells.hidden = !answer.ok || found.n_cells === null;
    if (!cells.hidden) cells.textContent = `The grid has ${found.n_cells.toLocaleString("en")} ${found.n_cells === 1 ? "cell" : "cells"}.`;
    if (!answer.ok) refuse(answer, found);
    else if (found.name_taken) show("wrong", "1 mistake", [taken()]);
    else show("right", summary(found), []);
  } catch (error) {
    if (!signal.aborted) show("wrong", `The server could not be asked (${error.message}). Your text is kept in this tab.`, []);
  }
}

function changed() {
  clearTimeout(timer);
  checking.abort(); // its answer would speak of another text
  verdict.classList.add("stale");
  timer = setTimeout(check, PAUSE);
  over.hidden = editor.text() === editor.original();
  if (over.hidden) sessionStorage.removeItem(draft);
  else sessionStorage.setItem(draft, editor.text());
}

async function submit() {
  if (submitter.disabled) return;
  clearTimeout(timer);
  checking.abort();
  submitter.disabled = true;
  try {
    const { answer, found } = await send("/api/v1/studies", { headers: { "idempotency-key": keyOf(editor.text()) } });
    if (!answer.ok) return refuse(answer, found);
    sessionStorage.removeItem(draft);
    return location.assign(`/studies/${encodeURIComponent(found.name)}`);
  } catch (error) {
    return show("wrong", `The server did not answer (${error.message}). Press again: a study is made only once.`, []);
  } finally {
    submitter.disabled = false;
  }
}

/** The same key for the same text, also after a reload, so that pressing again makes no second study. @param {string} text */
function keyOf(text) {
  const last = JSON.parse(sessionStorage.getItem("trialbook:key") ?? "{}");
  if (last.text === text) return last.key;
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
  sessionStorage.setItem("trialbook:key", JSON.stringify({ text, key }));
  return key;
}

function refuse(answer, found) {
  const mistakes = answer.status === 409 && found?.code === "name-taken" ? [taken()] : (found?.errors ?? []);
  const words = mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`;
  if (answer.status === 401) show("wrong", "You are signed out: sign in in another tab, then submit again. Your text is kept.", []);
  else show("wrong", mistakes.length ? words : (found?.detail ?? `The server answered ${answer.status}.`), mistakes);
}

function taken() {
  const line = editor.text().split("\n").findIndex((one) => /^["']?name["']?\s*:/.test(one)) + 1;
  return { pointer: "/name", message: "is taken: another study has this name", line };
}

/** @param {"right"|"wrong"} state @param {string} words @param {{pointer: string, message: string, line?: number}[]} mistakes */
function show(state, words, mistakes) {
  verdict.className = state;
  const now = JSON.stringify([state, words, mistakes]);
  if (now === shown) return; // or it would be read out again
  shown = now;
  verdict.textContent = words;
  editor.mark(mistakes.map((one) => ({ ...one, message: told(one) })));
  form.mark(mistakes);
  list.replaceChildren(...mistakes.map((one) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const where = document.createElement("span");
    where.className = "where";
    where.textContent = one.line ? `line ${one.line} ` : "";
    button.type = "button";
    button.append(where, told(one));
    button.addEventListener("click", () => editor.goTo(one.line || 1));
    item.append(button);
    return item;
  }));
}

const told = (mistake) => `${spoken(mistake.pointer) || "the text"} ${mistake.message}`;

/** A JSON pointer as a path that people read: space.x.high */
const spoken = (pointer) => pointer.split("/").slice(1).map((one) => one.replaceAll("~1", "/").replaceAll("~0", "~")).join(".");

/** What will be done, in a line. @param {{spec: any, n_cells: number|null}} found */
function summary({ spec, n_cells: cells }) {
  const ends = [cells, spec.budget.n_trials].filter((one) => one !== null);
  const count = (number, thing) => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
  const parts = [ends.length ? count(Math.min(...ends), "trial") : "trials until you cancel it"];
  if (cells !== null) parts[0] += ` of a grid with ${count(cells, "cell")}`;
  else parts.push(`by ${samplers[spec.sampler.name] ?? spec.sampler.name}`);
  parts.push(`over ${count(Object.keys(spec.space).length, "parameter")}`);
  if (spec.pruner.name !== "none") parts.push(`pruner ${spec.pruner.name}`);
  if (spec.budget.timeout !== null) parts.push(`at most ${count(spec.budget.timeout, "second")}`);
  if (spec.budget.max_epochs !== null) parts.push(`at most about ${count(spec.budget.max_epochs, "epoch")}`);
  if (spec.budget.target_value !== null) parts.push(`until a value of ${spec.budget.target_value}`);
  if (spec.budget.patience !== null) parts.push(`until ${count(spec.budget.patience, "trial")} in a row are no better`);
  return `${parts.join(", ")}.`;
}

/** Only data that the chosen trainer can learn from is offered. */
function offerData() {
  const tasks = start.elements.trainer.selectedOptions[0]?.dataset.tasks?.split(" ") ?? [];
  for (const one of start.elements.data.options) {
    one.hidden = one.value !== "" && !tasks.includes(one.dataset.task);
    one.disabled = one.hidden;
    if (one.hidden && one.selected) start.elements.data.value = "";
  }
}

root.querySelector("input[type=file]").addEventListener("change", ({ target }) => {
  if (target.files.length) editor.open(target.files[0]);
  target.value = "";
});
lost.querySelector("button").addEventListener("click", () => {
  lost.hidden = true;
  editor.write(before);
});
over.addEventListener("click", () => editor.replace(editor.original()));
submitter.addEventListener("click", submit);
start.elements.trainer.addEventListener("change", offerData);
start.addEventListener("submit", () => {
  const search = `?${new URLSearchParams(/** @type {any} */ (new FormData(start)))}`;
  sessionStorage.removeItem(kept(search)); // whoever asks for an example gets it; what was typed here stays under this address
});

offerData();
const left = sessionStorage.getItem(draft);
if (left !== null) {
  editor.restore(left);
  over.hidden = false;
}
check();
