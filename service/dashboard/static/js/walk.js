// Charts by keys: the arrows go from mark to mark, which is shown by its tip and told to whoever does not see it.

import { tooltip } from "./charts.js";

/**
 * Where a key leads among trials, or other things in order.
 * @param {string} key @param {number[]} numbers in order @param {number|null} at the one of now
 * @param {number} [row] how many lie beside each other, where arrows up and down lead somewhere; negative where the first
 *   lie at the top
 * @returns {number|undefined} none for a key that leads nowhere
 */
export function stepped(key, numbers, at, row) {
  const place = numbers.indexOf(at);
  const last = numbers.length - 1;
  const beyond = row ? { ArrowUp: place + row, ArrowDown: place - row } : {};
  const to = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: last, ...beyond }[key];
  return to === undefined ? undefined : numbers[Math.min(last, Math.max(0, to))];
}

/**
 * What the marks of a chart are walked by, where it is not trials; `place` counts the marks of all series.
 * @typedef {{thing: string, key: (one: any, place: number) => number|undefined, row?: () => number|undefined}} Way
 * @typedef {{seriesIndex: number, dataIndex: number}} Mark
 */

/**
 * Makes a chart one to walk by keys: the arrows go from trial to trial and show its tip, Enter opens it.
 * @param {HTMLElement} element @param {EChart} chart its marks hold their `trial`, or have a key of the way's
 * @param {((number: number) => void)|null} open @param {Way} [way] all marks of the same key are told together
 */
export function walk(element, chart, open, way) {
  const keyOf = way?.key ?? ((one) => one?.trial);
  const told = document.createElement("span");
  told.className = "hidden-words";
  told.setAttribute("role", "status");
  element.after(told);
  /** @type {number|null} */
  let at = null;
  const thing = way?.thing ?? "trial";
  element.tabIndex = 0;
  element.setAttribute("aria-label", `${element.getAttribute("aria-label")}; the arrow keys go from ${thing} to ${thing}${open ? ", Enter opens one" : ""}`);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && at !== null && open) return open(at);
    const option = chart.getOption();
    const marks = byKey(option?.series ?? [], keyOf);
    const to = stepped(event.key, [...marks.keys()].sort((a, b) => a - b), at, way?.row?.());
    if (to === undefined) return undefined;
    event.preventDefault();
    at = to;
    const found = marks.get(to);
    const words = (way ? found : found.slice(-1)).map((mark) => wordsOf(option, mark));
    told.textContent = [...new Set(words)].join("; ");
    return point(element, chart, option.series, found.at(-1), words.at(-1));
  });
  element.addEventListener("blur", () => {
    chart.dispatchAction({ type: "hideTip" });
    chart.dispatchAction({ type: "downplay" });
  });
}

/** @param {any[]} series @param {(one: any, place: number) => number|undefined} keyOf @returns {Map<number, Mark[]>} */
function byKey(series, keyOf) {
  const all = series.flatMap(({ data }, seriesIndex) => (data ?? []).map((one, dataIndex) => ({ one, mark: { seriesIndex, dataIndex } })));
  const keyed = all.map(({ one, mark }, place) => ({ key: keyOf(one, place), mark }));
  const kept = Map.groupBy(keyed.filter(({ key }) => key !== undefined), ({ key }) => key);
  return new Map([...kept].map(([key, found]) => [key, found.map(({ mark }) => mark)]));
}

/** What the tip of a mark says. @param {any} option @param {Mark} mark @returns {string} */
function wordsOf(option, { seriesIndex, dataIndex }) {
  const { id, name, data } = option.series[seriesIndex];
  const one = data[dataIndex];
  return option.tooltip[0].formatter({ data: one, value: one.value ?? one, seriesId: id, seriesName: name });
}

function point(element, chart, series, mark, words) {
  if (series[mark.seriesIndex].type !== "parallel") return chart.dispatchAction({ type: "showTip", ...mark });
  chart.dispatchAction({ type: "downplay" });
  chart.dispatchAction({ type: "highlight", ...mark }); // a line over all axes is at no one place
  return chart.dispatchAction({ type: "showTip", x: element.clientWidth / 2, y: element.clientHeight / 3, tooltip: tooltip({ formatter: words }) });
}
