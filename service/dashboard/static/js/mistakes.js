// The table of the worst mistakes: all of them, or those that take one class for another.

import { shown } from "./charts.js";

/**
 * @typedef {{row: number, true: string, decided: string|null, probability: number|null, probability_of_true: number|null}} Mistake
 */

/** @param {any} found whatever the file holds @returns {boolean} */
export function isMistakes(found) {
  return Array.isArray(found?.rows) && found.rows.every((one) => typeof one?.true === "string");
}

/**
 * @param {HTMLElement} root holds a select named pair, a table and a note
 * @returns {{set: (rows: Mistake[]) => void, pick: (from: string, to: string|null) => void}}
 */
export function createMistakes(root) {
  const select = root.querySelector("select");
  const body = root.querySelector("tbody");
  const note = root.querySelector("[data-note]");
  /** @type {Mistake[]} */
  let mistakes = [];

  function show() {
    const chosen = mistakes.filter((one) => !select.value || key(one.true, one.decided) === select.value);
    body.replaceChildren(...chosen.map(row));
    note.hidden = chosen.length > 0;
    note.textContent = mistakes.length ? `None of the ${mistakes.length} worst mistakes is of this kind.` : "No mistake at all.";
  }

  function offer() {
    const before = select.value;
    const counts = Map.groupBy(mistakes, (one) => key(one.true, one.decided));
    const kinds = [...counts.values()].sort((a, b) => b.length - a.length);
    select.replaceChildren(new Option("all", ""), ...kinds.map((kind) => choice(kind[0].true, kind[0].decided, kind.length)));
    select.value = counts.has(before) ? before : "";
    select.closest("label").hidden = kinds.length < 2;
  }

  select.addEventListener("change", show);
  return {
    set(rows) {
      mistakes = rows;
      offer();
      show();
    },
    pick(from, to) {
      const wanted = from === to ? "" : key(from, to);
      if (![...select.options].some((one) => one.value === wanted)) select.append(choice(from, to, 0));
      select.closest("label").hidden = false;
      select.value = wanted;
      show();
    },
  };
}

const key = (from, to) => JSON.stringify([from, to]);
const choice = (from, to, count) => new Option(`${from} called ${to ?? "nothing"} (${count})`, key(from, to));

function row(one) {
  const cells = [one.true, one.decided ?? "nothing", shown(one.probability), shown(one.probability_of_true), String(one.row)];
  const made = document.createElement("tr");
  made.append(...cells.map((text, i) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    if (i > 1) cell.className = "num";
    return cell;
  }));
  return made;
}
