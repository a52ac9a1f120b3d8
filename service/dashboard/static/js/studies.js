// The list of studies: rendered on the server alone, fetched anew every few seconds while somebody looks.

import { remember } from "./address.js";
import { setLive } from "./frame.js";
import { failed, fetchPage, takeOver, tellAges, wireCopies } from "./parts.js";

const EVERY = 4000; // milliseconds
const PAGE = 30;
const MOST = 1000; // what the server gives at once
const rows = document.getElementById("studies");
const search = document.getElementById("search");
let limit = PAGE;
let asked = 0;
let timer = 0;
let last = new Date();

/** Read the list as it is now; of several readings under way the last one counts. */
async function load() {
  clearTimeout(timer);
  const mine = (asked += 1);
  try {
    const address = new URL(location.href);
    if (limit > PAGE) address.searchParams.set("limit", String(limit));
    const fresh = await fetchPage(address);
    if (mine !== asked || !fresh) return;
    takeOver(fresh);
    merge(fresh.getElementById("studies").children);
    tellEmpty();
    last = new Date();
    document.getElementById("problem").hidden = true;
    setLive("live", "live");
  } catch (error) {
    if (mine !== asked) return;
    failed(error);
    setLive("reconnecting", `reconnecting, data of ${last.toLocaleTimeString()}`);
  }
  if (!document.hidden) timer = setTimeout(load, EVERY);
}

/** Put each row in its place, new ones too, and change what changed in it. @param {Iterable<Element>} fresh */
function merge(fresh) {
  const wanted = [...fresh];
  const ids = new Set(wanted.map((one) => one.id));
  for (const old of [...rows.children]) if (!ids.has(old.id)) old.remove();
  wanted.forEach((one, place) => {
    const at = rows.children[place] ?? null;
    const old = at?.id === one.id ? at : document.getElementById(one.id);
    if (old !== at || !old) rows.insertBefore(old ?? document.adoptNode(one), at);
    if (old) follow(old, one);
  });
}

/** Make a node like another and keep what is alike: the focus stays, bars slide. @param {Node} old @param {Node} fresh */
function follow(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const alike = old.nodeName === fresh.nodeName && old.childNodes.length === fresh.childNodes.length;
  if (!alike || !(old instanceof Element) || !(fresh instanceof Element)) return /** @type {ChildNode} */ (old).replaceWith(document.adoptNode(fresh));
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  const children = [...fresh.childNodes];
  [...old.childNodes].forEach((child, place) => follow(child, children[place]));
}

/** Without rows their head says nothing. */
function tellEmpty() {
  document.getElementById("table").hidden = rows.children.length === 0;
}

function look() {
  if (!document.hidden) return load();
  clearTimeout(timer);
  asked += 1;
  return setLive("paused", "paused");
}

let typing = 0;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    remember("cursor", null);
    remember("q", search.value.trim() || null);
    limit = PAGE;
    load();
  }, 150);
});
search.form.addEventListener("submit", (event) => event.preventDefault()); // it was searched while it was typed

document.addEventListener("click", (event) => {
  const more = event.target instanceof Element ? event.target.closest("#more a") : null;
  if (!more || limit + PAGE > MOST || event.ctrlKey || event.metaKey || event.shiftKey) return; // then it is a link
  event.preventDefault();
  limit += PAGE;
  load();
});

document.addEventListener("visibilitychange", look);
window.addEventListener("pageshow", (event) => event.persisted && look());
wireCopies();
tellEmpty();
tellAges();
setLive("live", "live");
if (document.hidden) look();
else timer = setTimeout(load, EVERY);
