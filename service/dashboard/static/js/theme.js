// Light, dark, or as the system is. A plain script in the head: it runs before anything is painted, so nothing flashes.

(() => {
  const CHOICES = { system: "◐", light: "○", dark: "●" };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const root = document.documentElement;
  let choice = kept();
  let isPrinting = false; // from before the page is laid out for paper

  /** @returns {string} what was chosen in this browser */
  function kept() {
    try {
      return localStorage.getItem("theme") in CHOICES ? localStorage.getItem("theme") : "system";
    } catch {
      return "system"; // the browser keeps nothing for this site
    }
  }

  function apply() {
    const theme = isPrinting || paper.matches ? "light" : choice === "system" ? (dark.matches ? "dark" : "light") : choice;
    if (root.dataset.theme !== theme) root.dataset.theme = theme; // charts draw anew at every change
    const button = document.getElementById("theme");
    if (!button) return;
    button.textContent = CHOICES[choice];
    button.setAttribute("aria-label", `Theme: ${choice}`);
    button.title = `Theme: ${choice}. Click for the next of ${Object.keys(CHOICES).join(", ")}.`;
    button.hidden = false;
  }

  function next() {
    const names = Object.keys(CHOICES);
    choice = names[(names.indexOf(choice) + 1) % names.length];
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // it holds for this page alone
    }
    apply();
  }

  apply();
  for (const query of [dark, paper]) query.addEventListener("change", apply);
  for (const kind of ["beforeprint", "afterprint"]) {
    window.addEventListener(kind, () => {
      isPrinting = kind === "beforeprint";
      apply();
    });
  }
  window.addEventListener("storage", ({ key }) => {
    if (key !== "theme") return;
    choice = kept();
    apply();
  });
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme")?.addEventListener("click", next);
  });
})();
