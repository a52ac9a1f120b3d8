// What the frame around every page does: says whether the page is live, finds the search, signs out.

import { call } from "./api.js";

/** Show whether the page is live. @param {"live"|"reconnecting"|"paused"} state @param {string} text */
export function setLive(state, text) {
  const dot = document.getElementById("live");
  dot.className = `live live-${state}`;
  if (dot.textContent !== text) dot.textContent = text; // it is read aloud at each change
}

const search = document.getElementById("search");
const menu = document.querySelector(".frame .menu");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && menu?.open) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  const writing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || writing || event.ctrlKey || event.metaKey || event.altKey || !search) return;
  event.preventDefault();
  search.focus();
  search.select();
});

document.addEventListener("click", ({ target }) => {
  if (menu?.open && target instanceof Node && !menu.contains(target)) menu.open = false;
});

document.querySelector("[name=sign-out]")?.addEventListener("click", async ({ currentTarget: button }) => {
  button.disabled = true;
  try {
    await call("DELETE", "/session");
    location.assign("/login");
  } catch (error) {
    button.disabled = false;
    button.textContent = `Sign out again: ${error.message}`;
  }
});
