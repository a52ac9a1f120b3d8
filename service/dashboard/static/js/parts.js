// The parts of a page that live: rendered on the server alone, fetched anew and put in place when something changed.

import { ago } from "./table.js";

/** Fetch this page again and take over its parts marked data-live. Raises an Error that says what happened. */
export async function refresh() {
  const answer = await fetch(location.pathname, { headers: { accept: "text/html" }, redirect: "manual" });
  if (answer.type === "opaqueredirect" || answer.status === 401) return location.reload(); // to sign in again
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) replace(old, fresh.getElementById(old.id));
  return tellAges();
}

function replace(old, fresh) {
  if (!fresh || old.isEqualNode(fresh)) return;
  old.replaceWith(document.adoptNode(fresh));
}

/** Say how long ago things happened. */
export function tellAges() {
  for (const one of document.querySelectorAll("[data-since]")) one.textContent = ago(one.dataset.since);
}

/** Every button that copies what another element says, also those that come later. */
export function wireCopies() {
  document.addEventListener("click", async ({ target }) => {
    const button = target instanceof Element ? target.closest("[data-copies]") : null;
    if (!button) return;
    const before = button.textContent;
    await copy(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = before), 1500);
  });
  setInterval(tellAges, 5000);
  tellAges();
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea"); // without TLS browsers have no clipboard but this
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  return undefined;
}

/** @param {unknown} error */
export function failed(error) {
  const place = document.getElementById("problem");
  place.textContent = `${error?.message ?? error} Nothing that was stored is lost; the page tries again with the next event.`;
  place.hidden = false;
}

/** A reader that says what went wrong, and no longer once it works. @param {() => Promise<unknown>} read */
export const reading = (read) => async () => {
  try {
    await read();
    document.getElementById("problem").hidden = true;
  } catch (error) {
    failed(error);
  }
};
