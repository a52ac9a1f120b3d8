// Two parameters against each other, each trial coloured by its rank: where the best and where the worst ones are.

import { place } from "./axes.js";
import { token, tooltip } from "./charts.js";
import { mix } from "./colours.js";
import { createPair, pairAxes } from "./pair.js";
import { words } from "./slices.js";

/**
 * The API's analysis `rank`.
 * @typedef {{x: import("./axes.js").Parameter|null, y: import("./axes.js").Parameter|null,
 *   items: (import("./slices.js").Item & {rank: number})[]}} Ranks
 * @param {HTMLElement} element @param {{open: (number: number) => void}} page
 */
export const createRank = (element, page) => createPair(element, page, whole);

function whole(found, picks) {
  const { x, y } = found;
  const worstFirst = [...found.items].sort((a, b) => b.rank - a.rank);
  return {
    ...pairAxes(found),
    tooltip: tooltip({ trigger: "item", formatter: ({ data }) => data?.words ?? "" }),
    series: [{
      id: "trials", type: "scatter", z: 2, emphasis: { scale: 1.5 },
      data: worstFirst.map((one) => {
        const colour = mix("--accent", "--pruned", one.rank);
        const hollow = one.state !== "complete";
        return {
          value: [place(x, one.params[x.name]), place(y, one.params[y.name])], trial: one.number,
          words: `better than ${Math.round(100 * (1 - one.rank))} % of the trials\n${words(one)}`,
          symbolSize: one.rank <= 0.1 ? 11 : 7,
          itemStyle: { color: hollow ? token("--raised") : colour, borderColor: colour, borderWidth: hollow ? 2 : 0,
            opacity: picks && !picks.has(one.number) ? 0.08 : 0.9 },
        };
      }),
    }],
  };
}
