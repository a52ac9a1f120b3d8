// The login page: a one-time code in the address's fragment, or a token that somebody types.

import { call } from "./api.js";

const CODE = /^#[\w-]{43}$/; // any other fragment belongs to the page that was asked for
const { next } = document.getElementById("login").dataset;
const form = document.getElementById("form");
const field = document.getElementById("token");
const failure = document.getElementById("failure");
const opening = document.getElementById("opening");

/** @param {{code: string}|{token: string}} login */
async function open(login) {
  failure.hidden = true;
  form.querySelector("button").disabled = true;
  try {
    await call("POST", "/session", login);
    location.replace(next + (CODE.test(location.hash) ? "" : location.hash));
  } catch (error) {
    failure.textContent = error.message;
    failure.hidden = false;
    opening.hidden = true;
    form.hidden = false;
    form.querySelector("button").disabled = false;
    field.select();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  open({ token: field.value.trim() });
});

/** Use a code up; it is taken out of the address, and so out of the browser's history, before it is sent. */
function useCode() {
  if (!CODE.test(location.hash)) return field.focus();
  const code = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  form.hidden = true;
  opening.hidden = false;
  return open({ code });
}

window.addEventListener("hashchange", useCode); // a link pasted while this page is open
useCode();
