// What charts of two parameters share: the figure and the trials picked out of it, drawn over the parameters' axes.

import { layouts, paramAxis } from "./axes.js";
import { mount, token } from "./charts.js";
import { walk } from "./walk.js";

/**
 * The API's analysis of a pair; its axes are null where the space has too few parameters.
 * @typedef {{x: import("./axes.js").Parameter|null, y: import("./axes.js").Parameter|null}} Pair
 * @param {HTMLElement} element @param {{open: (number: number) => void}} page
 * @param {(found: any, picks: Set<number>|null) => object} whole the chart's option
 */
export function createPair(element, page, whole) {
  /** @type {Pair|null} */
  let found = null;
  /** @type {Set<number>|null} */
  let picks = null;
  const { chart, draw, option } = mount(element, () => {
    if (!found?.x || !found.y) return { series: [] };
    fits(found.x.name, found.y.name);
    return whole(found, picks);
  });
  const fits = layouts(() => chart);
  chart.on("click", (event) => event.data?.trial !== undefined && page.open(event.data.trial));
  walk(element, chart, page.open);
  return {
    chart,
    option,
    /** @param {Pair} data */
    set(data) {
      found = data;
      draw();
    },
    /** @param {Set<number>|null} numbers the trials to show over the others, null for all */
    pick(numbers) {
      picks = numbers;
      draw();
    },
  };
}

/** The axes of a pair of parameters, each named at its side. @param {{x: any, y: any}} found */
export function pairAxes({ x, y }) {
  const named = { nameLocation: "middle", nameTextStyle: { color: token("--ink"), fontSize: 12 }, splitLine: { show: false } };
  return {
    grid: { left: 84, right: 20, top: 16, bottom: 52 },
    xAxis: paramAxis(x, { ...named, name: x.name, nameGap: 30 }),
    yAxis: paramAxis(y, { ...named, name: y.name, nameGap: 64 }, 9),
  };
}
