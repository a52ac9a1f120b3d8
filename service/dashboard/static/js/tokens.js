// The page of tokens: a new one's secret is shown until the page is left, revoking asks once.

import { call } from "./api.js";
import { refresh, tellAges, wireCopies } from "./parts.js";

const DAY = 86400; // seconds
const form = /** @type {HTMLFormElement} */ (document.getElementById("make"));
const made = document.getElementById("made");
const really = document.getElementById("really");

/** @param {string} problem */
function say(problem) {
  document.getElementById("problem").textContent = problem;
  document.getElementById("problem").hidden = problem === "";
}

async function reread() {
  await refresh();
  tellAges();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { role, owner, days } = form.elements;
  const asked = { role: role.value, owner: owner.value, name: /** @type {HTMLInputElement} */ (form.elements.namedItem("name")).value };
  made.hidden = true;
  say("");
  try {
    const found = await call("POST", "/api/v1/tokens", days.value ? { ...asked, expires_in: days.value * DAY } : asked);
    document.getElementById("secret").textContent = found.token;
    made.hidden = false;
    await reread();
  } catch (error) {
    say(made.hidden ? `No token was made. ${error.message}` : `The list is as it was before. ${error.message}`);
  }
});

document.getElementById("main").addEventListener("click", ({ target }) => {
  const button = target.closest("button[name=revoke]");
  if (!button) return;
  really.dataset.id = button.closest("tr").dataset.id;
  document.getElementById("really-title").textContent = `Revoke ${really.dataset.id}?`;
  really.returnValue = "";
  really.showModal();
});
really.addEventListener("close", async () => {
  if (really.returnValue !== "revoke") return;
  say("");
  try {
    await call("DELETE", `/api/v1/tokens/${encodeURIComponent(really.dataset.id)}`);
    await reread();
  } catch (error) {
    say(`${really.dataset.id} was not revoked. ${error.message}`);
  }
});
wireCopies();
