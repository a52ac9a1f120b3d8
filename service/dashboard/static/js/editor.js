// A plain text editor: numbered lines with marks, Tab that indents, files that are chosen or dropped.

const INDENT = "  ";
const LARGEST = 1024 * 1024; // bytes of a study, which is what the server takes

/**
 * @param {HTMLElement} root holds the gutter and a textarea
 * @param {{changed: () => void, submit: () => void, refused: (message: string) => void}} told
 */
export function createEditor(root, told) {
  const area = root.querySelector("textarea");
  const gutter = root.querySelector(".gutter");
  /** @type {Map<number, string>} */
  let marks = new Map();
  let leaving = false;

  function number() {
    const wanted = area.value.split("\n").length;
    while (gutter.childElementCount > wanted) gutter.lastElementChild.remove();
    for (let line = gutter.childElementCount + 1; line <= wanted; line += 1) {
      const one = document.createElement("div");
      one.textContent = String(line);
      gutter.append(one);
    }
    [...gutter.children].forEach((one, i) => {
      one.classList.toggle("wrong", marks.has(i + 1));
      one.title = marks.get(i + 1) ?? "";
    });
    gutter.scrollTop = area.scrollTop;
  }

  /** As if it had been typed, so that undo brings back what was there. @param {string} text */
  function insert(text) {
    if (!document.execCommand("insertText", false, text)) area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  }

  /** The whole lines that the selection touches. */
  function selectLines() {
    const start = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const end = area.value.indexOf("\n", Math.max(area.selectionEnd - 1, area.selectionStart));
    area.setSelectionRange(start, end < 0 ? area.value.length : end);
    return { start, text: area.value.slice(start, area.selectionEnd) };
  }

  function indent(back) {
    if (!back && area.selectionStart === area.selectionEnd) return insert(INDENT);
    const { start, text } = selectLines();
    const moved = back ? text.replace(/^ {1,2}/gm, "") : text.replace(/^(?=.)/gm, INDENT);
    if (moved !== text) insert(moved);
    return area.setSelectionRange(start, start + moved.length);
  }

  function newLine() {
    const before = area.value.slice(area.value.lastIndexOf("\n", area.selectionStart - 1) + 1, area.selectionStart);
    insert(`\n${before.match(/^ */)[0]}${/:\s*$/.test(before) ? INDENT : ""}`);
  }

  area.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing;
    const taken = { Tab: () => indent(event.shiftKey), Enter: newLine };
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) told.submit();
    else if (!plain || !(event.key in taken) || (leaving && event.key === "Tab")) return remember(event.key);
    else taken[event.key]();
    event.preventDefault();
    return remember(event.key);
  });
  function remember(key) {
    leaving = key === "Escape" || (leaving && ["Shift", "Tab"].includes(key));
  }

  async function open(file) {
    if (file.size > LARGEST) return told.refused(`${file.name} is larger than a study may be (1 MiB).`);
    const text = await file.text();
    area.focus();
    area.select();
    insert(text.replaceAll("\r\n", "\n"));
    return area.setSelectionRange(0, 0);
  }

  root.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    root.classList.add("dropping");
  });
  for (const kind of ["dragleave", "drop"]) root.addEventListener(kind, () => root.classList.remove("dropping"));
  root.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    open(event.dataTransfer.files[0]);
  });

  /** @param {number} line from 1 */
  function goTo(line) {
    const lines = area.value.split("\n").slice(0, line);
    const end = lines.join("\n").length;
    area.focus();
    area.setSelectionRange(end - (lines.at(-1)?.length ?? 0), end);
    area.scrollTop = (line - 4) * Number.parseFloat(getComputedStyle(area).lineHeight);
  }

  area.addEventListener("blur", () => (leaving = false));
  area.addEventListener("scroll", () => (gutter.scrollTop = area.scrollTop));
  area.addEventListener("input", () => {
    number();
    told.changed();
  });
  gutter.addEventListener("click", ({ target }) => target !== gutter && goTo([...gutter.children].indexOf(target) + 1));
  number();

  return {
    goTo,
    open,
    text: () => area.value,
    /** @param {string} text */
    replace(text) {
      area.focus();
      area.select();
      insert(text);
    },
    /** Another text to begin with, before anything was typed. @param {string} text */
    restore(text) {
      area.value = text;
      number();
    },
    /** Another text from elsewhere than the keyboard; what is focused stays so. @param {string} text */
    write(text) {
      const { selectionStart, scrollTop } = area;
      area.value = text;
      area.setSelectionRange(selectionStart, selectionStart);
      area.scrollTop = scrollTop;
      number();
      told.changed();
    },
    original: () => area.defaultValue,
    /** @param {{line?: number, message: string}[]} mistakes */
    mark(mistakes) {
      marks = new Map(mistakes.filter((one) => one.line).map((one) => [one.line, one.message]));
      area.setAttribute("aria-invalid", String(mistakes.length > 0));
      number();
    },
  };
}
