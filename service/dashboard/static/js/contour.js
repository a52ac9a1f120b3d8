// The value over two parameters as a map in bands, the trials on it. Blank where nothing like it was tried.

import { place } from "./axes.js";
import { token, tooltip } from "./charts.js";
import { mix } from "./colours.js";
import { createPair, pairAxes } from "./pair.js";
import { words } from "./slices.js";

const BANDS = 10; // each of the same share of the map

/**
 * The API's analysis `contour`.
 * @typedef {{metric: string|null, direction: string, x: import("./axes.js").Parameter|null,
 *   y: import("./axes.js").Parameter|null, grid: (number|null)[][], blank: string,
 *   items: import("./slices.js").Item[]}} Contour
 * @param {HTMLElement} element @param {{open: (number: number) => void}} page
 */
export const createContour = (element, page) => createPair(element, page, whole);

function whole(found, picks) {
  return {
    ...pairAxes(found),
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data?.words ?? "" }),
    series: [map(found), trials(found, picks)],
  };
}

function map({ x, y, grid, direction }) {
  const cells = grid.flatMap((row, j) => row.map((value, i) => ({ i, j, value }))).filter((cell) => cell.value !== null);
  const sorted = cells.map((cell) => cell.value).sort((a, b) => (direction === "maximize" ? b - a : a - b));
  const bounds = Array.from({ length: BANDS - 1 }, (_, k) => sorted[Math.floor((sorted.length * (k + 1)) / BANDS)]);
  const bandOf = (value) => bounds.filter((bound) => (direction === "maximize" ? value <= bound : value >= bound)).length;
  const colours = Array.from({ length: BANDS }, (_, band) => bandColour(band / (BANDS - 1)));
  return {
    id: "map", type: "custom", silent: true, z: 1, clip: true, animation: false,
    data: cells.map((cell) => ({ value: [x.edges[cell.i], y.edges[cell.j], cell.value] })),
    renderItem: (params, api) => {
      const { i, j, value } = cells[params.dataIndex];
      const [left, bottom] = api.coord([x.edges[i], y.edges[j]]);
      const [right, top] = api.coord([x.edges[i + 1], y.edges[j + 1]]);
      const shape = { x: Math.floor(left), y: Math.floor(top), width: Math.ceil(right) - Math.floor(left), height: Math.ceil(bottom) - Math.floor(top) };
      return { type: "rect", shape, style: { fill: colours[bandOf(value)] } };
    },
  };
}

/** From the best, 0, to the worst, 1. @param {number} share @returns {string} */
export const bandColour = (share) => mix("--accent", "--raised", 0.15 + 0.75 * share);

function trials({ x, y, items, direction }, picks) {
  const sign = direction === "maximize" ? -1 : 1;
  const complete = items.filter((one) => one.state === "complete");
  const best = complete.length ? complete.reduce((a, b) => (sign * b.value < sign * a.value ? b : a)) : null;
  return {
    id: "trials", type: "scatter", z: 3, emphasis: { scale: 1.6 },
    data: items.map((one) => {
      const hollow = one.state !== "complete";
      const isBest = one === best;
      return {
        value: [place(x, one.params[x.name]), place(y, one.params[y.name])], trial: one.number,
        words: isBest ? `the best\n${words(one)}` : words(one),
        symbol: isBest ? "diamond" : "circle", symbolSize: isBest ? 16 : 5,
        itemStyle: { color: isBest ? token("--complete") : hollow ? token("--raised") : token("--ink"), borderColor: isBest ? token("--raised") : token("--ink"),
          borderWidth: isBest ? 2 : hollow ? 1 : 0, opacity: picks && !picks.has(one.number) ? 0.08 : 0.75 },
      };
    }),
  };
}
