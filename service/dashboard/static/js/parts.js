// The parts of a page that live: rendered on the server alone, fetched anew and put in place when something changed.

import { ago } from "./table.js";

/** Fetch this page again and take over its parts marked data-live. Raises an Error that says what happened. */
export async function refresh() {
  const fresh = await fetchPage(location.pathname);
  if (fresh) takeOver(fresh);
}

/**
 * @param {string|URL} address a page of ours
 * @returns {Promise<Document|null>} the page as it is now; none where this one is left to sign in again
 */
export async function fetchPage(address) {
  const answer = await fetch(address, { headers: { accept: "text/html" }, redirect: "manual" });
  if (answer.type === "opaqueredirect" || answer.status === 401) {
    location.reload();
    return null;
  }
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** Take over the parts of a page fetched anew that are marked data-live. @param {Document} fresh */
export function takeOver(fresh) {
  for (const page of [document, fresh]) tellAges(page); // so that ages alone are no difference
  for (const old of document.querySelectorAll("[data-live]")) replace(old, fresh.getElementById(old.id));
}

function replace(old, fresh) {
  if (!fresh || old.isEqualNode(fresh)) return;
  old.replaceWith(document.adoptNode(fresh));
}

/** Say how long ago things happened. @param {Document} page */
export function tellAges(page = document) {
  for (const one of page.querySelectorAll("[data-since]")) one.textContent = ago(one.dataset.since);
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
  setInterval(() => tellAges(), 5000);
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
  place.textContent = `${error instanceof Error ? error.message : error} Nothing that was stored is lost; the page tries again with the next event.`;
  place.hidden = false;
}

/** It works again: what went wrong need be told no longer. */
export function works() {
  document.getElementById("problem").hidden = true;
}

/** A reader that says what went wrong, and no longer once it works. @param {() => Promise<unknown>} read */
export const reading = (read) => async () => {
  try {
    await read();
    works();
  } catch (error) {
    failed(error);
  }
};
