// The tabs of a study's page: each is a module of its own, loaded when it is first opened, and told what happens only
// while it is seen. One that is opened again after something happened reads everything anew.

import { remember } from "./address.js";
import { Refused } from "./api.js";

const AGAIN = 3000; // milliseconds until what could not be read, since the server was away, is read again

/**
 * What a tab's module exports is `create(panel, study)`, which returns this. `fresh` reads everything anew; events that
 * come while it reads are told after it, so that nothing falls between. `picked` is told which trials were picked out.
 * @typedef {{fresh: () => Promise<void>, study?: (event: any) => void, trial?: (event: any) => void,
 *   report?: (event: any) => void, artifact?: (event: any) => void, picked?: (numbers: Set<number>|null) => void}} Tab
 */

/**
 * @param {HTMLElement} list the links of role tab, each of which names its panel by aria-controls
 * @param {object} study what every tab is given
 * @param {{failed: (error: unknown) => void, works: () => void}} said what to say of readings
 */
export function createTabs(list, study, said) {
  const links = [...list.querySelectorAll("[role=tab]")];
  const tabs = new Map(links.map((link) => [link.dataset.tab, {
    link, panel: document.getElementById(link.getAttribute("aria-controls")), made: null, isStale: true, isReading: false, late: [], again: 0,
  }]));
  const [first] = tabs.keys();
  let open = links.find((link) => link.getAttribute("aria-selected") === "true").dataset.tab;
  let hasBegun = false;
  reveal(list, tabs.get(open).link);
  /** @type {Set<number>|null} */
  let picks = null;

  async function renew(tab) {
    if (tab.isReading) {
      tab.isStale = true;
      return;
    }
    tab.isReading = true;
    try {
      if (!tab.made) {
        tab.made = (await import(`./study/${tab.link.dataset.tab}.js`)).create(tab.panel, study);
        tab.made.picked?.(picks);
      }
      do {
        tab.isStale = false;
        await tab.made.fresh();
      } while (tab.isStale);
      said.works();
    } catch (error) {
      tab.isStale = true;
      said.failed(error);
      clearTimeout(tab.again);
      const isAway = !(error instanceof Refused) || error.status >= 500; // what is refused once is refused again
      if (isAway) tab.again = setTimeout(() => tab.isStale && tab === tabs.get(open) && renew(tab), AGAIN);
    }
    tab.isReading = false;
    for (const [kind, event] of tab.late.splice(0)) tab.made?.[kind]?.(event);
  }

  function show(name, isFocused = false) {
    open = name;
    for (const [key, { link, panel }] of tabs) {
      link.setAttribute("aria-selected", String(key === name));
      link.tabIndex = key === name ? 0 : -1;
      panel.hidden = key !== name;
    }
    const { link } = tabs.get(name);
    if (isFocused) link.focus();
    reveal(list, link);
    remember("tab", name === first ? null : name);
    if (hasBegun && tabs.get(name).isStale) renew(tabs.get(name));
  }

  list.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("[role=tab]") : null;
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return; // who wants another window gets it
    event.preventDefault();
    show(link.dataset.tab);
  });
  list.addEventListener("keydown", (event) => {
    const names = [...tabs.keys()];
    const at = names.indexOf(open);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(names.at(to % names.length), true);
  });

  return {
    /** Open a tab. @param {string} name */
    show,
    /** What happened before is unknown: the open tab reads everything anew now, the others when they are opened. */
    async fresh() {
      hasBegun = true;
      for (const tab of tabs.values()) tab.isStale = true;
      await renew(tabs.get(open));
    },
    /** @param {"study"|"trial"|"report"|"artifact"} kind @param {object} event */
    tell(kind, event) {
      for (const [name, tab] of tabs) {
        if (name !== open) tab.isStale = true;
        else if (tab.isReading) tab.late.push([kind, event]);
        else tab.made?.[kind]?.(event);
      }
    },
    /** @param {Set<number>|null} numbers the trials picked out in a chart, null for all */
    picked(numbers) {
      picks = numbers;
      for (const { made } of tabs.values()) made?.picked?.(numbers);
    },
  };
}

/** Scroll a row of tabs to one that lies beyond its edge; the page stays where it is. @param {HTMLElement} list @param {HTMLElement} link */
function reveal(list, link) {
  const left = link.offsetLeft - list.offsetLeft;
  if (left >= list.scrollLeft && left + link.offsetWidth <= list.scrollLeft + list.clientWidth) return;
  list.scrollLeft = left - (list.clientWidth - link.offsetWidth) / 2;
}
