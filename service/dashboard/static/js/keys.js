// Keys that work on every page; `?` shows them. None of them acts while somebody writes.

const PAUSE = 1500; // milliseconds in which the second key of two has to come
const PLACES = { s: "/", n: "/studies/new", w: "/workers", d: "/datasets" };

let asked = -Infinity; // when `g` was pressed

/** @param {KeyboardEvent} event @returns {boolean} whether a letter is a letter, not a command */
function isWriting({ target, ctrlKey, metaKey, altKey }) {
  const place = target instanceof Element && target.closest("input, textarea, select, [contenteditable], dialog[open]");
  return Boolean(place) || ctrlKey || metaKey || altKey;
}

/** Open the tab of the study's page that a digit counts to. @param {string} key */
function openTab(key) {
  const tab = /^[1-9]$/.test(key) ? document.querySelectorAll("[role=tab]")[Number(key) - 1] : undefined;
  if (tab instanceof HTMLElement) tab.click();
}

document.addEventListener("keydown", (event) => {
  if (isWriting(event)) return;
  const isSecond = event.timeStamp - asked < PAUSE;
  asked = event.key === "g" ? event.timeStamp : -Infinity;
  if (isSecond && Object.hasOwn(PLACES, event.key)) {
    location.assign(PLACES[event.key]);
  } else if (event.key === "?") {
    event.preventDefault();
    /** @type {HTMLDialogElement} */ (document.getElementById("keys"))?.showModal();
  } else {
    openTab(event.key);
  }
});
