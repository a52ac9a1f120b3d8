// Colours between two of the page's tokens, and the one of the tokens that is read best on them.

import { token } from "./charts.js";

/** @param {string} colour as #rrggbb @returns {number[]} red, green and blue from 0 to 255 */
const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

/** @param {string} from @param {string} to tokens or #rrggbb @param {number} amount from 0 to 1 @returns {string} #rrggbb */
export function mix(from, to, amount) {
  const [a, b] = [from, to].map((one) => parts(one.startsWith("--") ? token(one) : one));
  const hex = a.map((value, i) => Math.round(value + (b[i] - value) * amount).toString(16).padStart(2, "0"));
  return `#${hex.join("")}`;
}

/** The text colour with the greater contrast on a ground (WCAG 2). @param {string} ground as #rrggbb @returns {string} */
export function inkOn(ground) {
  const found = ["--ink", "--raised"].map(token);
  return found.reduce((a, b) => (contrast(b, ground) > contrast(a, ground) ? b : a));
}

function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour) {
  const linear = parts(colour).map((value) => value / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
