// What stands beside every chart: a link to the data behind it, and the chart as a still picture, PNG or SVG. A picture
// is readable by itself: it has the figure's title and words above, and the key (the figure's p.key) below.
//
//   const { draw, option } = mount(element, …);          // the element of a <figure> with a <figcaption>
//   addTools(element, { name: "history", study: study.name, option, data: () => `${study.base}/analysis/history` });

import { token } from "./charts.js";

const [EDGE, TITLE, LINE] = [16, 24, 20]; // pixels: around the picture, of its title, of a line of words
const LEAST = { width: 960, height: 420 }; // so that a picture made on a small screen is one to show
const FONT = "12px system-ui, sans-serif";

/**
 * @param {HTMLElement} element the chart's, within its figure
 * @param {{name: string, study: string, whose?: string, option: () => object, data: () => string,
 *   size?: () => {width: number, height: number}}} figure `name`: of the file, after the study's; `whose`: before the
 *   title, where the study's name does not say it; `option`: as `mount` returns it; `data`: the address of the JSON behind
 *   the chart; `size`: in pixels, where it isn't that of the element
 */
export function addTools(element, { name, study, whose = study, option, data, size }) {
  const caption = element.closest("figure").querySelector("figcaption");
  const link = document.createElement("a");
  Object.assign(link, { textContent: "data", href: data(), target: "_blank", title: "What this chart is drawn from, as JSON" });
  for (const kind of ["pointerenter", "focus", "click"]) link.addEventListener(kind, () => (link.href = data()));
  const file = `${study}-${name}`;
  const picture = () => stillPicture(element, whose, option, size?.() ?? { width: element.clientWidth, height: element.clientHeight });
  const png = button("PNG", "Save this chart as a picture", async () => save(await rasterised(picture()), `${file}.png`));
  const svg = button("SVG", "Save this chart as a drawing", () => save(new Blob([picture().text], { type: "image/svg+xml" }), `${file}.svg`));
  const tools = document.createElement("span");
  tools.className = "tools";
  tools.append(link, png, svg);
  caption.append(tools);
}

function button(word, title, act) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", textContent: word, title });
  made.addEventListener("click", act);
  return made;
}

/**
 * A chart as SVG with its title above and its key below, in the colours of the page.
 * @param {HTMLElement} element @param {string} whose @param {() => object} option
 * @param {{width: number, height: number}} size @returns {{text: string, width: number, height: number}}
 */
export function stillPicture(element, whose, option, size) {
  const width = Math.max(size.width, LEAST.width) + 2 * EDGE;
  const height = Math.max(size.height, LEAST.height);
  const figure = element.closest("figure");
  const heading = `${whose}: ${figure.querySelector("h2").textContent.trim()}`;
  const words = shownWords(figure.querySelectorAll("figcaption > .muted"));
  const top = EDGE + TITLE + (words.length ? LINE : 0);
  const key = laidOut(shownWords(figure.querySelectorAll(".key > *")), width - 2 * EDGE);
  const whole = top + height + LINE * (key.at(-1)?.row + 1 || 0) + EDGE;
  const parts = [
    `<rect width="${width}" height="${whole}" fill="${token("--raised")}"/>`,
    text(EDGE, EDGE + 16, heading, token("--ink"), "600 16px system-ui, sans-serif"),
    ...words.slice(0, 1).map((one) => text(EDGE, EDGE + TITLE + 14, one.text, token("--muted"))),
    drawing(option(), width - 2 * EDGE, height).replace("<svg ", `<svg x="${EDGE}" y="${top}" `),
    ...key.map((one) => text(EDGE + one.x, top + height + LINE * (one.row + 1), one.text, one.colour)),
  ];
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${whole}" viewBox="0 0 ${width} ${whole}">`;
  return { text: `${open}\n${parts.join("\n")}\n</svg>`, width, height: whole };
}

/** The chart alone, drawn without a page. */
function drawing(option, width, height) {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  const zooms = [option.dataZoom ?? []].flat().map((one) => ({ ...one, show: false }));
  chart.setOption({ textStyle: { fontFamily: "system-ui, sans-serif" }, ...option, dataZoom: zooms, animation: false });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function shownWords(elements) {
  return [...elements].filter((one) => !one.hidden && one.textContent.trim() && !one.querySelector("input, select, button"))
    .map((one) => {
      const [words, swatch] = [one.textContent.trim().replace(/\s+/g, " "), one.querySelector(".swatch")];
      return swatch ? { text: `━ ${words}`, colour: getComputedStyle(swatch).backgroundColor } : { text: words, colour: getComputedStyle(one).color };
    });
}

/** One after another, in as many rows as it takes. */
function laidOut(words, width) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = FONT;
  let [x, row] = [0, 0];
  return words.map((one) => {
    const wide = pen.measureText(one.text).width;
    if (x > 0 && x + wide > width) [x, row] = [0, row + 1];
    const placed = { ...one, x, row };
    x += wide + EDGE;
    return placed;
  });
}

function text(x, y, words, colour, font = FONT) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "text");
  for (const [name, value] of Object.entries({ x, y, fill: colour })) node.setAttribute(name, String(value));
  const [, weight = "400", size, family] = font.match(/^(\d{3} )?(\S+) (.*)$/);
  for (const [name, value] of Object.entries({ "font-weight": weight.trim(), "font-size": size, "font-family": family })) node.setAttribute(name, value);
  node.textContent = words;
  return new XMLSerializer().serializeToString(node);
}

/** Twice as fine as the page, for paper and sharp screens. @returns {Promise<Blob>} */
async function rasterised({ text: svg, width, height }) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
  URL.revokeObjectURL(image.src);
  return new Promise((told) => canvas.toBlob(told, "image/png"));
}

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // by then the browser has taken it
}
