// A chart of attempts: a lane for each worker, a bar from start to end, told apart by colour and by how it is filled.

import { axis, mount, shown, STATES, token, tooltip } from "./charts.js";
import { duration } from "./table.js";
import { walk } from "./walk.js";

const [LANE, HIGH_LANE, LEAST, MOST] = [26, 40, 120, 900]; // pixels: of a lane, of one with its name in it, of all of them
const NARROW = 620; // pixels: below, workers' names stand above their bars
const LOST = { expired: "--failed", released: "--waiting" }; // attempts after which the trial goes on elsewhere
const WORDS = { expired: "its worker was lost", released: "given back", pruned: "stopped early" };

/**
 * @param {HTMLElement} element @param {{open: (number: number) => void}} study
 */
export function createTimeline(element, study) {
  let found = { began: "", lanes: [], items: [] };
  let read = 0;
  const { chart, draw, option } = mount(element, () => drawn(found, read, element.clientWidth < NARROW));
  chart.on("click", ({ data }) => data?.bar && study.open(data.bar.number));
  walk(element, chart, study.open);
  return {
    draw,
    option,
    /** @param {object} data the API's analysis `timeline`, just read */
    set(data) {
      [found, read] = [data, performance.now()];
      const lane = element.clientWidth < NARROW ? HIGH_LANE : LANE;
      element.style.height = `${Math.min(MOST, Math.max(LEAST, data.lanes.length * lane)) + 100}px`;
      draw();
    },
  };
}

function drawn({ began, lanes, items }, read, isNarrow) {
  const origin = Date.parse(began);
  const since = (performance.now() - read) / 1000; // what ran when it was read has run on
  const end = (bar) => bar.end + (bar.state === "running" ? since : 0);
  const data = items.map((bar) => ({ value: [bar.lane, origin + bar.start * 1000, origin + end(bar) * 1000], bar, trial: bar.number }));
  return {
    grid: { left: isNarrow ? 12 : 120, right: 20, top: 12, bottom: 72 },
    xAxis: axis({ type: "time", min: "dataMin", max: "dataMax" }),
    yAxis: axis({
      type: "category", inverse: true, data: lanes.map((_, lane) => lane),
      axisLabel: {
        color: token("--muted"), inside: isNarrow, width: 108, overflow: "truncate", interval: 0, show: !isNarrow || lanes.length < 30,
        formatter: (lane) => (lanes[lane] === lanes[lane - 1] ? "" : lanes[lane]),
        ...(isNarrow ? { verticalAlign: "bottom", padding: [0, 0, 9, -8] } : {}),
      },
    }),
    dataZoom: [
      { type: "inside", xAxisIndex: 0, filterMode: "weakFilter", zoomOnMouseWheel: "shift" },
      { type: "slider", xAxisIndex: 0, filterMode: "weakFilter", height: 20, bottom: 12, borderColor: token("--line"), textStyle: { color: token("--muted") } },
    ],
    tooltip: tooltip({ trigger: "item", formatter: ({ data: { bar } }) => inWords(bar, lanes[bar.lane], end(bar)) }),
    series: [{
      id: "attempts", type: "custom", data, encode: { x: [1, 2], y: 0 }, clip: true,
      renderItem: (params, api) => shape(items[params.dataIndex], params.coordSys, api),
    }],
  };
}

/** A bar: full where there is a result, hollow where there is none, dashed where it went on elsewhere. */
function shape(bar, { x, width }, api) {
  const [left, middle] = api.coord([api.value(1), api.value(0)]);
  const right = Math.max(left + 2, api.coord([api.value(2), api.value(0)])[0]);
  const high = Math.min(18, api.size([0, 1])[1] * 0.7);
  const [from, to] = [Math.max(x, left), Math.min(x + width, right)];
  if (to <= from) return null;
  const box = { x: from, y: middle - high / 2, width: to - from, height: high };
  const colour = token(LOST[bar.state] ?? STATES[bar.state]?.token ?? "--waiting");
  const isFull = ["running", "complete"].includes(bar.state);
  const style = {
    fill: isFull ? colour : token("--raised"), stroke: isFull ? token("--raised") : colour, lineWidth: isFull ? 0.5 : 1.5,
    lineDash: bar.state in LOST ? [4, 3] : null,
  };
  /** @type {object[]} */
  const children = [{ type: "rect", shape: box, style }];
  if (bar.state === "pruned") children.push({ type: "rect", shape: { ...box, width: box.width / 2 }, style: { fill: colour } });
  if (bar.state === "failed" && box.width > high) children.push(cross(box, colour));
  if (box.width > 44) children.push(label(bar, box, isFull ? token("--raised") : token("--ink")));
  return { type: "group", children };
}

function cross({ x, y, height }, colour) {
  const at = { x1: x + 4, y1: y + 4, x2: x + height - 4, y2: y + height - 4 };
  const line = (shape) => ({ type: "line", shape, style: { stroke: colour, lineWidth: 1.5 } });
  return { type: "group", children: [line(at), line({ ...at, y1: at.y2, y2: at.y1 })] };
}

function label(bar, { x, y, width, height }, colour) {
  const style = { text: String(bar.number), x: x + width - 4, y: y + height / 2, fill: colour, fontSize: 11, align: "right", verticalAlign: "middle" };
  return { type: "text", style: bar.state === "pruned" ? { ...style, fill: token("--ink") } : style, silent: true };
}

function inWords(bar, worker, end) {
  const again = bar.attempt > 1 ? `, attempt ${bar.attempt}` : "";
  const value = bar.value === null || bar.state in LOST ? "" : `   ${shown(bar.value)}`;
  return `trial ${bar.number}${again}${value}\n${worker}: ${WORDS[bar.state] ?? bar.state} ${bar.state === "running" ? "for" : "after"} ${duration(end - bar.start)}`;
}
