// The tab Log: what happened, in words, the newest first; live, filtered, earlier events page by page.

import { recall, recallAll, remember, rememberAll } from "../address.js";
import { call } from "../api.js";
import { STATES } from "../charts.js";
import { calmly } from "../live.js";
import { ago } from "../table.js";

const PAGE = 100;
const LOOKS = 10; // pages that are looked through in a row for an event of the kind asked for

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const [form, list, note, more] = ["form", "ol", "[data-note]", "button[name=more]"].map((one) => panel.querySelector(one));
  const boxes = [...form.querySelectorAll("input[name=kind]")];
  const trial = form.elements.trial;
  const usual = boxes.filter((one) => one.checked).map((one) => one.value);
  let cursor = null;
  let asked = 0;

  const kept = recallAll("kind");
  if (kept.length) for (const box of boxes) box.checked = kept.includes(box.value);
  trial.value = recall("trial") ?? "";
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    rememberAll("kind", kinds().join() === usual.join() ? [] : kinds());
    remember("trial", number());
    list.replaceChildren();
    fresh().catch(study.failed);
  });
  more.addEventListener("click", () => earlier().catch(study.failed));

  const kinds = () => boxes.filter((one) => one.checked).map((one) => one.value);
  const number = () => (/^\d{1,9}$/.test(trial.value.trim()) ? trial.value.trim() : null);

  function page(from) {
    const query = new URLSearchParams({ limit: String(PAGE) });
    for (const kind of kinds()) query.append("kind", kind);
    if (number()) query.set("trial", number());
    if (from) query.set("cursor", from);
    return call("GET", `${study.base}/log?${query}`);
  }

  /** A page, or the next ones where it is empty though others follow: reports outnumber all else. */
  async function pages(from) {
    let found = await page(from);
    for (let i = 1; i < LOOKS && !found.items.length && found.next_cursor; i += 1) found = await page(found.next_cursor);
    return found;
  }

  /** What is new goes on top of what is shown; where more happened than a page holds, the list begins anew. */
  async function fresh() {
    const mine = (asked += 1);
    const found = kinds().length ? await pages(null) : { items: [], next_cursor: null };
    if (mine !== asked) return;
    const at = found.items.findIndex((one) => one.id === list.firstChild?.dataset.id);
    if (at >= 0) list.prepend(...found.items.slice(0, at).map(line));
    else {
      list.replaceChildren(...found.items.map(line));
      cursor = found.next_cursor;
    }
    tell();
  }

  async function earlier() {
    const mine = asked;
    const found = await pages(cursor);
    if (mine !== asked) return;
    list.append(...found.items.map(line));
    cursor = found.next_cursor;
    tell();
  }

  function tell() {
    more.hidden = cursor === null;
    more.textContent = list.children.length ? "Earlier" : "Look further back";
    note.hidden = list.children.length > 0;
    note.textContent = kinds().length ? "Nothing of the kind in the last seven days." : "Choose above what to show.";
    for (const one of list.querySelectorAll("time")) one.textContent = ago(one.dateTime);
  }

  function line(one) {
    const [made, mark] = ["li", "span"].map((tag) => document.createElement(tag));
    const when = document.createElement("time");
    made.dataset.id = one.id;
    [when.dateTime, when.title, when.textContent] = [one.at, new Date(one.at).toLocaleString(), ago(one.at)];
    const state = one.kind === "trial" ? one.state : one.kind === "report" ? "running" : null;
    [mark.textContent, mark.className] = [STATES[state]?.shape ?? "·", state ? `tally tally-${state}` : "muted"];
    mark.ariaHidden = "true";
    made.append(when, mark, one.number === null ? one.text : link(one));
    return made;
  }

  function link(one) {
    const made = document.createElement("a");
    made.href = `/studies/${encodeURIComponent(study.name)}/trials/${one.number}`;
    made.textContent = one.text;
    return made;
  }

  const soon = calmly(() => fresh().catch(study.failed), 1000);
  return {
    fresh,
    study: soon,
    trial: soon,
    artifact: soon,
    report: () => kinds().includes("report") && soon(),
  };
}
