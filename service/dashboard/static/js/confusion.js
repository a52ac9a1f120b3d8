// A confusion matrix: a row for each true class, a column for each that it was called. What is right is blue, what is wrong red.

import { axis, mount, token, tooltip } from "./charts.js";
import { inkOn, mix } from "./colours.js";
import { walk } from "./walk.js";

const MOST = 60; // classes that are drawn: those with the most mistakes
const [NARROWEST, WIDEST, LOWEST, HEIGHT] = [22, 120, 22, 420]; // pixels: of a cell, and of all rows where they may be so low
const LONGEST = 14; // letters of a class's name at its row
const UNDECIDED = "no class";

/**
 * @typedef {{classes: string[], counts: number[][], undecided: number[]}} Confusion
 * @typedef {{rows: string[], columns: string[], counts: number[][], totals: number[]}} Matrix `totals`: of each row, all
 *   classes counted
 */

/** @param {any} found whatever the file holds @returns {boolean} */
export function isConfusion(found) {
  const { classes, counts, undecided } = found ?? {};
  return [classes, counts, undecided].every(Array.isArray) && classes.length > 0 && classes.every((one) => typeof one === "string")
    && counts.length === classes.length && counts.every((row) => Array.isArray(row) && row.length === classes.length);
}

/**
 * What is drawn of a confusion: the classes with the most mistakes if there are many.
 * @param {Confusion} found @returns {Matrix}
 */
export function matrixOf({ classes, counts, undecided }) {
  const totals = counts.map((row, i) => row.reduce((a, b) => a + b, undecided[i] ?? 0));
  const wrong = counts.map((row, i) => totals[i] - row[i] + counts.reduce((sum, other, j) => sum + (j === i ? 0 : other[i]), 0));
  const ranked = classes.map((_, i) => i).sort((a, b) => wrong[b] - wrong[a]).slice(0, MOST).sort((a, b) => a - b);
  const isSure = ranked.every((i) => !undecided[i]);
  return {
    rows: ranked.map((i) => classes[i]),
    columns: [...ranked.map((i) => classes[i]), ...(isSure ? [] : [UNDECIDED])],
    counts: ranked.map((i) => [...ranked.map((j) => counts[i][j]), ...(isSure ? [] : [undecided[i]])]),
    totals: ranked.map((i) => totals[i]),
  };
}

/** The matrix in words. @param {Confusion} found @returns {string} */
export function inWords({ classes, counts, undecided }) {
  const all = counts.flat().reduce((a, b) => a + b, 0) + undecided.reduce((a, b) => a + b, 0);
  const right = counts.reduce((sum, row, i) => sum + row[i], 0);
  const pairs = counts.flatMap((row, i) => row.map((count, j) => ({ count, i, j }))).filter(({ count, i, j }) => i !== j && count);
  const worst = pairs.sort((a, b) => b.count - a.count)[0];
  const often = worst?.count === 1 ? "once" : `${worst?.count} times`;
  const most = worst ? ` Most often wrong: ${classes[worst.i]} called ${classes[worst.j]}, ${often}.` : "";
  const left = classes.length > MOST ? ` Shown are the ${MOST} of ${classes.length} classes with the most mistakes.` : "";
  return `${right} of ${all} are right.${most}${left}`;
}

/**
 * @param {HTMLElement} element
 * @param {{found: Confusion, pick: (row: string, column: string|null) => void}} given `pick` takes a chosen cell
 */
export function createConfusion(element, { found, pick }) {
  let matrix = matrixOf(found);
  const { chart, draw, option } = mount(element, () => whole(matrix, fit(element, matrix)));
  const choose = (row, column) => pick(matrix.rows[row], matrix.columns[column] === UNDECIDED ? null : matrix.columns[column]);
  chart.on("click", ({ value }) => choose(value[1], value[0]));
  const wide = () => matrix.columns.length;
  walk(element, chart, (place) => choose(Math.floor(place / wide()), place % wide()),
    { thing: "cell", key: (_, place) => place, row: () => -wide() });
  return {
    chart,
    option,
    /** @param {Confusion} fresh */
    set(fresh) {
      matrix = matrixOf(fresh);
      draw();
    },
  };
}

/** Gives the element the height that the cells need, and the least width. */
function fit(element, { rows, columns }) {
  const names = 7 * Math.min(LONGEST, Math.max(...columns.map((name) => name.length)));
  const left = names + 44;
  element.style.minWidth = `${left + columns.length * NARROWEST + 8}px`;
  const most = (element.clientWidth - left - 8) / columns.length;
  const width = Math.min(WIDEST, most);
  const lean = names + 6 > width ? 0.71 * names : 0; // at 45 degrees
  const height = Math.min(width, Math.max(LOWEST, HEIGHT / rows.length));
  const top = 48 + lean;
  element.style.height = `${Math.ceil(top + rows.length * height + 8)}px`;
  return { names, left, top, lean, width, height };
}

function whole(matrix, { names, left, top, lean, width, height }) {
  const { rows, columns } = matrix;
  const named = (own) => axis({
    type: "category", nameLocation: "middle", axisLine: { show: false }, splitLine: { show: false }, ...own,
    axisLabel: { color: token("--ink"), interval: 0, fontSize: height < 20 ? 10 : 12, formatter: cut, ...own.axisLabel },
  });
  return {
    grid: { left, top, width: width * columns.length, height: height * rows.length },
    tooltip: tooltip({ trigger: "item", formatter: (at) => words(at.value, matrix) }),
    xAxis: named({ name: "called", data: columns, position: "top", nameGap: 26 + lean, axisLabel: { rotate: lean ? 45 : 0 } }),
    yAxis: named({ name: "true", data: rows, inverse: true, nameGap: names + 18 }),
    series: [{ id: "confusion", type: "heatmap", animation: false, data: cells(matrix, height),
      emphasis: { itemStyle: { borderColor: token("--ink"), borderWidth: 2 } } }],
  };
}

function cells({ counts, totals }, height) {
  return counts.flatMap((row, i) => row.map((count, j) => {
    const share = totals[i] ? count / totals[i] : 0;
    const colour = ground(share, i === j);
    return {
      value: [j, i, count],
      itemStyle: { color: colour, borderColor: token(i === j ? "--accent" : "--line"), borderWidth: i === j ? 1.5 : 0.5 },
      label: { show: count > 0, color: inkOn(colour), fontWeight: i === j ? "bold" : "normal",
        fontSize: height < 30 ? 10 : 13, formatter: String(count) },
    };
  }));
}

/** Few mistakes are seen too: their colour goes by the root of their share of the row. */
function ground(share, isRight) {
  if (!share) return token("--raised");
  return isRight ? mix("--raised", "--accent", 0.1 + 0.6 * share) : mix("--raised", "--failed", 0.12 + 0.88 * Math.sqrt(share));
}

function words([j, i, count], { rows, columns, totals }) {
  const share = totals[i] ? ` (${((100 * count) / totals[i]).toFixed(1)} %)` : "";
  const end = columns[j] === UNDECIDED ? "could not be decided" : `${count === 1 ? "was" : "were"} called ${columns[j]}`;
  return `of ${totals[i]} true ${rows[i]},\n${count} ${end}${share}`;
}

const cut = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);
