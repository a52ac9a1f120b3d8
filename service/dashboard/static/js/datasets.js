// The page of data sets: upload with its progress, mistakes beside the field they are about, deletion that asks once.

import { call } from "./api.js";
import { fill } from "./examples.js";
import { refresh, tellAges, wireCopies } from "./parts.js";
import { columnsOf, nameOf, put } from "./upload.js";

const TABLES = [".csv", ".parquet"]; // kinds of files of which one column is the target

const form = /** @type {HTMLFormElement|null} */ (document.getElementById("upload"));
const really = document.getElementById("really");

/** @param {string} problem */
function say(problem) {
  document.getElementById("problem").textContent = problem;
  document.getElementById("problem").hidden = problem === "";
}

async function reread() {
  await refresh();
  say("");
  tellAges();
}

document.getElementById("datasets").parentElement.addEventListener("click", ({ target }) => {
  const button = target.closest("button[name=delete]");
  if (!button) return;
  const { name } = button.closest("tr").dataset;
  document.getElementById("really-title").textContent = `Delete ${name}?`;
  document.getElementById("really-words").textContent = button.dataset.lost;
  really.dataset.name = name;
  really.returnValue = "";
  really.showModal();
});
really.addEventListener("close", async () => {
  if (really.returnValue !== "delete") return;
  try {
    await call("DELETE", `/api/v1/datasets/${encodeURIComponent(really.dataset.name)}`);
    await reread();
  } catch (error) {
    say(`${really.dataset.name} was not deleted. ${error.message}`);
  }
});
document.getElementById("datasets").parentElement.addEventListener("toggle", ({ target }) => {
  if (target instanceof HTMLDetailsElement && target.open && target.dataset.rows) fill(target.dataset.rows, target.querySelector("div"));
}, true); // toggle does not bubble
wireCopies();
if (form) wireUpload(form);

/** @param {HTMLFormElement} upload */
function wireUpload(upload) {
  const { file, name, target, task } = upload.elements;
  const fields = { file, name, target, task };
  const types = JSON.parse(upload.dataset.types);
  const button = upload.querySelector("button.btn-main");
  const stop = upload.elements.stop;
  const sending = upload.querySelector(".sending");
  const done = document.getElementById("done");
  const zone = upload.querySelector(".dropzone");
  /** @type {File|null} */
  let chosen = null;
  let given = ""; // the name that the last file gave: what somebody typed stays

  /** @param {Record<string, string>} mistakes by field */
  function wrong(mistakes) {
    for (const place of upload.querySelectorAll("[data-wrong]")) {
      const said = mistakes[place.dataset.wrong] ?? "";
      place.textContent = said;
      if (said) fields[place.dataset.wrong].setAttribute("aria-invalid", "true");
      else fields[place.dataset.wrong].removeAttribute("aria-invalid");
    }
  }

  async function choose(one) {
    chosen = one;
    done.textContent = "";
    document.getElementById("chosen").textContent = `${one.name}, ${(one.size / 1e6).toPrecision(3)} MB`;
    if (!name.value || name.value === given) name.value = given = nameOf(one.name);
    const columns = await columnsOf(one);
    document.getElementById("columns").replaceChildren(...columns.map((column) => new Option(column, column)));
    if (columns.length && !columns.includes(target.value)) target.value = columns.at(-1);
    target.closest("[data-of-tables]").hidden = !isTable();
    wrong(unfit() ? { file: unfit() } : {});
    noteReplaced();
  }

  const typeOf = () => types[chosen.name.slice(chosen.name.lastIndexOf(".")).toLowerCase()];

  const isTable = () => TABLES.includes(chosen?.name.slice(chosen.name.lastIndexOf(".")).toLowerCase() ?? ".csv");

  function unfit() {
    if (!chosen) return "Choose the file to upload.";
    if (!typeOf()) return `is nothing that is taken here: ${Object.keys(types).join(", ")}`;
    return chosen.size > Number(upload.dataset.limit) ? "is larger than is taken here" : "";
  }

  function noteReplaced() {
    const known = document.querySelector(`#datasets tr[data-name="${CSS.escape(name.value)}"]`);
    document.getElementById("name-note").textContent = known
      ? `There is a data set ${name.value} already: the upload replaces it. Studies keep the version that they were submitted with.` : "";
  }

  async function start(event) {
    event.preventDefault();
    const missing = { file: unfit(), name: name.value ? "" : "Give it a name.", target: target.value || !isTable() ? "" : "Say which column is to be learned." };
    wrong(missing);
    done.textContent = "";
    if (Object.values(missing).some(Boolean)) return;
    const query = new URLSearchParams();
    if (isTable()) query.set("target", target.value);
    if (task.value) query.set("task", task.value);
    const sent = put(`/api/v1/datasets/${encodeURIComponent(name.value)}?${query}`, chosen, typeOf(), progress);
    stop.onclick = sent.stop;
    busy(true);
    try {
      taken(await sent.answer);
    } catch (error) {
      wrong({ file: error.message });
    } finally {
      busy(false);
    }
  }

  function busy(is) {
    button.disabled = is;
    stop.hidden = !is;
    sending.hidden = !is;
    progress(0);
  }

  function progress(share) {
    sending.querySelector("progress").value = share;
    sending.querySelector("span").textContent = share < 1 ? `${Math.floor(share * 100)} %` : "checking it…";
  }

  /** @param {{status: number, found: any}} answer */
  function taken({ status, found }) {
    if (status === 200) {
      done.textContent = `✓ ${found.name} is here: ${found.rows.toLocaleString("en")} rows. Name it in a study as data: ${found.name}`;
      return reread().then(noteReplaced).catch((error) => say(`The list is as it was before. ${error.message}`));
    }
    /** @type {Record<string, string>} */
    const mistakes = {};
    for (const { pointer, message } of found?.errors ?? []) mistakes[pointer.slice(1) in fields ? pointer.slice(1) : "file"] = `${pointer.slice(1) || "The file"} ${message}`;
    const about = status === 409 || status === 403 ? "name" : "file";
    if (!Object.keys(mistakes).length) mistakes[about] = found?.detail ?? `The server answered ${status}.`;
    return wrong(mistakes);
  }

  upload.addEventListener("submit", start);
  name.addEventListener("input", noteReplaced);
  file.addEventListener("change", () => {
    if (file.files.length) choose(file.files[0]);
    file.value = "";
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("dropping");
  });
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("dropping"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) choose(event.dataTransfer.files[0]);
  });
}
