// Fields of a form that stand for values of a study: how a value is written in one, and read from it.

/** @typedef {{name: string, kind: string, default: unknown, low: number|null, high: number|null, help: string}} Option */

/** @param {string} text @returns {unknown} a number, true, false or null as people write them; else the text itself */
export function scalar(text) {
  const plain = text.trim();
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain)) return Number(plain);
  const words = { true: true, false: false, null: null };
  if (plain in words) return words[plain];
  return /^(".*"|'.*')$/s.test(plain) ? plain.slice(1, -1) : plain;
}

/** @param {unknown} value @returns {string} what `scalar` reads as this value */
export function written(value) {
  if (typeof value !== "string") return JSON.stringify(value) ?? "";
  return value.includes(",") || value !== value.trim() || scalar(value) !== value ? `"${value}"` : value;
}

/** @param {string} text @returns {unknown[]} what stands between commas, those in quotes left out */
export function list(text) {
  return (text.match(/("[^"]*"|'[^']*'|[^,])+/g) ?? []).map((one) => one.trim()).filter(Boolean).map(scalar);
}

/** @param {unknown} values @returns {string} */
export const listed = (values) => (Array.isArray(values) ? values.map(written).join(", ") : written(values));

/** @param {string} text `optimizer: sgd, adam; layers: 2` @returns {Record<string, unknown[]>|null} */
export function condition(text) {
  const parts = text.split(";").map((one) => one.split(/:(.*)/s)).filter(([name]) => name.trim());
  return parts.length ? Object.fromEntries(parts.map(([name, values]) => [name.trim(), list(values ?? "")])) : null;
}

/** @param {unknown} when @returns {string} */
export function conditioned(when) {
  return Object.entries(when ?? {}).map(([name, values]) => `${name}: ${listed(values)}`).join("; ");
}

/** How each kind of field turns its value into text and back; undefined is "nothing given". */
const KINDS = {
  text: { read: (text) => text, write: (value) => String(value ?? "") },
  scalar: { read: (text) => (text.trim() ? scalar(text) : undefined), write: (value) => (value === undefined ? "" : written(value)) },
  list: { read: list, write: listed },
  when: { read: (text) => condition(text) ?? undefined, write: conditioned },
};
let count = 0;

/**
 * A labelled field for the value at a path.
 * @param {string[]} path @param {string} label
 * @param {{kind?: string, help?: string, choices?: string[]|null, placeholder?: string, wide?: boolean}} look
 * @param {(value: unknown) => void} changed told the value that was entered, undefined for none
 */
export function field(path, label, look, changed) {
  const { kind = "text", help = "", choices = null, placeholder = "", wide = false } = look;
  const root = document.createElement("div");
  const [name, words] = [document.createElement("label"), document.createElement("small")];
  const input = document.createElement(choices ? "select" : "input");
  count += 1;
  input.id = `field-${count}`;
  name.htmlFor = input.id;
  name.textContent = label;
  words.id = `wrong-${count}`;
  words.className = "wrong-words";
  root.className = `field${wide ? " wide" : ""}${kind === "bool" ? " check" : ""}`;
  root.dataset.pointer = path.map((one) => `/${one.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  root.title = help;
  input.className = kind === "bool" || kind === "text" ? "input" : "input num";
  input.setAttribute("aria-describedby", words.id);
  const box = /** @type {HTMLInputElement} */ (input);
  if (kind === "bool") box.type = "checkbox";
  else if (input instanceof HTMLInputElement) {
    Object.assign(input, { type: "text", placeholder, spellcheck: false });
    if (kind === "scalar") input.inputMode = "text";
  }
  const offer = (names) => input.replaceChildren(...names.map((one) => new Option(one || "(none)", one)));
  if (choices) offer(choices);
  const { read, write } = KINDS[kind] ?? KINDS.text;
  let last = "";
  const now = () => (kind === "bool" ? String(box.checked) : input.value);
  input.addEventListener(choices || kind === "bool" ? "change" : "input", () => {
    if (now() === last) return;
    last = now();
    changed(kind === "bool" ? box.checked : read(input.value));
  });
  root.append(name, input, words);
  return {
    root,
    input,
    offer,
    /** Show a value, unless what is being typed says the same. @param {unknown} value */
    show(value) {
      if (kind === "bool") box.checked = value === true;
      else if (!(document.activeElement === input && JSON.stringify(read(input.value)) === JSON.stringify(value))) {
        const text = write(value);
        if (choices && text && ![...input.querySelectorAll("option")].some((one) => one.value === text)) input.append(new Option(text, text));
        if (input.value !== text) input.value = text;
      }
      last = now();
    },
  };
}
