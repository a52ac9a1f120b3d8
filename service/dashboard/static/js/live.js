// One stream of a study's events for the whole page; closed while nobody looks, so that no idle tab holds a connection.

import { setLive } from "./frame.js";

const KINDS = ["study", "trial", "report", "artifact"];
const RESPECT = 10; // a reading pauses for so many times as long as it took
const AGAIN = 3000; // milliseconds until a stream that the server refused is asked for again

/**
 * @param {string} name the study's
 * @param {Record<string, (data: any) => void> & {fresh: () => void}} handlers one by kind of event; `fresh` is called
 *   whenever what happened before is unknown: read everything anew, later events continue from there
 * @param {string} [since] where the stream stood before this page was made: what happened since is told, so that
 *   nothing need be read again
 */
export function listen(name, handlers, since) {
  /** @type {EventSource|null} */
  let source = null;
  let last = new Date();
  let timer = 0;

  function heard() {
    last = new Date();
    setLive("live", "live");
  }

  function open() {
    close();
    const query = since && !document.hidden ? `?${new URLSearchParams({ since })}` : "";
    since = ""; // who comes back later reads everything anew
    source = new EventSource(`/api/v1/studies/${encodeURIComponent(name)}/events${query}`);
    for (const kind of ["hello", "reset"]) source.addEventListener(kind, () => {
      heard();
      handlers.fresh();
    });
    for (const kind of KINDS) source.addEventListener(kind, (event) => {
      heard();
      handlers[kind]?.(JSON.parse(event.data));
    });
    source.addEventListener("open", heard);
    source.addEventListener("error", () => {
      setLive("reconnecting", `reconnecting, data of ${last.toLocaleTimeString()}`);
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN);
    });
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function look() {
    if (!document.hidden) return open();
    close();
    setLive("paused", "paused");
    return undefined;
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => event.persisted && look());
  look();
}

/**
 * Calls a function at most once in a while, the last time surely: events come in bursts. Rarer where it takes long, so
 * that many who look leave a busy server time for those who work.
 * @param {() => unknown} act @param {number} pause in milliseconds @returns {() => void}
 */
export function calmly(act, pause) {
  let timer = 0;
  let next = 0;
  let acting = false;
  let again = false;

  function ask() {
    if (acting) again = true;
    else timer ||= setTimeout(run, Math.max(0, next - Date.now()));
  }

  async function run() {
    const begun = Date.now();
    timer = 0;
    acting = true;
    try {
      await act();
    } finally {
      next = Math.max(begun + pause, Date.now() + RESPECT * (Date.now() - begun));
      acting = false;
      if (again) ask();
      again = false;
    }
  }
  return ask;
}

/**
 * Calls a function once a person has come to rest: what they point at, or drag, changes many times before.
 * @param {() => unknown} act @param {number} pause in milliseconds @returns {() => void}
 */
export function atRest(act, pause) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, pause);
  };
}
