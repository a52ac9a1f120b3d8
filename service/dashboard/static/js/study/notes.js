// The tab Notes: the study's notes as they look, edited in place.

import { call } from "../api.js";
import { refresh } from "../parts.js";

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const form = panel.querySelector("form");
  if (!form) return { fresh: async () => {} }; // who may only look is shown what the server rendered
  const edit = panel.querySelector("button[name=edit]");
  const text = form.elements.notes;
  const { preview, drop } = form.elements;
  const shown = panel.querySelector("[data-preview]");
  const wrong = panel.querySelector("[data-wrong]");
  let before = ""; // the notes as they were when the editing began

  edit.addEventListener("click", () => open().catch(study.failed));
  edit.disabled = false; // before, nobody would hear it
  drop.addEventListener("click", close);
  preview.addEventListener("click", () => look(preview.ariaPressed !== "true").catch(tell));
  text.addEventListener("keydown", (event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && form.requestSubmit());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save().catch(tell);
  });
  addEventListener("beforeunload", (event) => !form.hidden && text.value !== before && event.preventDefault());

  const stored = async () => (await call("GET", study.base)).notes;

  async function open() {
    before = await stored();
    text.value = before;
    toggle(true);
    text.focus();
  }

  function close() {
    toggle(false);
    edit.focus();
  }

  function toggle(isOpen) {
    form.hidden = !isOpen;
    edit.hidden = isOpen;
    document.getElementById("notes-shown").hidden = isOpen; // found anew: it is replaced when somebody else saves
    [wrong.hidden, shown.hidden, text.hidden, preview.ariaPressed, preview.textContent] = [true, true, false, "false", "Preview"];
  }

  async function look(isWanted) {
    if (isWanted) {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`/studies/${encodeURIComponent(study.name)}/notes/preview`, { method: "POST", headers, body: JSON.stringify({ notes: text.value }) });
      if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
      shown.innerHTML = await answer.text(); // the server's own rendering: what it lets through is what the page shows too
    }
    [shown.hidden, text.hidden, preview.ariaPressed, preview.textContent] = [!isWanted, isWanted, String(isWanted), isWanted ? "Go on writing" : "Preview"];
  }

  async function save() {
    const now = await stored();
    if (now !== before) {
      before = now;
      throw new Error("Somebody else saved other notes meanwhile. Save again to replace them by yours.");
    }
    await call("PATCH", study.base, { notes: text.value });
    before = text.value;
    await refresh();
    edit.textContent = before ? "Edit" : "Write";
    close();
  }

  function tell(error) {
    [wrong.textContent, wrong.hidden] = [error.message, false];
  }

  return { fresh: async () => {} };
}
