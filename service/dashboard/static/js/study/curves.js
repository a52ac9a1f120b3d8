// The tab Curves: train and validation of the best, the latest, a sample or chosen trials, on one axis, with the band of
// all; beside it how far validation is from train.

import { recall, remember } from "../address.js";
import { call } from "../api.js";
import { choices, mayBeTrain, trainOf } from "../curve_values.js";
import { createCurves } from "../curves.js";
import { addTools } from "../figure_tools.js";
import { createGap } from "../gap.js";
import { calmly } from "../live.js";

const FIRST = 8; // curves of a kind, unasked: as many as there are colours
const SAMPLE = { best: "50", latest: "50", random: "100" };

/** @param {HTMLElement} panel @param {import("../study.js").Study} study @returns {import("../tabs.js").Tab} */
export function create(panel, study) {
  const part = (name) => panel.querySelector(`[name=${name}]`);
  const [mode, count, trials, metric, along, hasBand] = ["curves", "k", "trials", "metric", "x", "band"].map(part);
  const says = Object.fromEntries(["note", "empty"].map((name) => [name, panel.querySelector(`#many-${name}`)]));
  const hovered = (number) => gap.point(number);
  const curves = createCurves(panel.querySelector("#many-curves"), { ...study, hovered, keep: true, tops: true });
  const gap = createGap(panel.querySelector("#gap"), panel.querySelector("#gap-words"), panel.querySelector("#gap-sum"),
    { open: study.open, hovered, colourOf: curves.colourOf });
  let [known, notes, shown] = [[], { curves: "", band: "" }, new Set()];
  let reading = 0;
  let before = null; // what was chosen until trials were picked out in another tab

  for (const [field, fallback] of [[mode, "best"], [count, String(FIRST)], [trials, ""], [along, "step"]]) {
    const kept = recall(field.name);
    field.value = kept ?? fallback;
    if (!field.value) field.value = fallback;
    field.addEventListener("change", () => {
      remember(field.name, field.value === fallback ? null : field.value);
      lay();
      trying(readCurves)();
    });
  }
  hasBand.checked = recall("band") !== "0";
  hasBand.addEventListener("change", () => {
    remember("band", hasBand.checked ? null : "0");
    trying(readBand)();
  });
  metric.addEventListener("change", () => {
    remember("metric", metric.value === study.metric ? null : metric.value);
    trying(fresh)();
  });

  /** Only what the choice needs is seen. */
  function lay() {
    count.closest("label").hidden = !["best", "latest"].includes(mode.value);
    trials.closest("label").hidden = mode.value !== "chosen";
  }

  /** @returns {Record<string, string>} which curves are asked for */
  function which() {
    if (mode.value === "sample") return SAMPLE;
    if (mode.value !== "chosen") return { [mode.value]: String(Math.min(200, Math.max(1, Math.round(Number(count.value)) || FIRST))) };
    const numbers = trials.value.match(/\d{1,9}/g) ?? [];
    return numbers.length ? { trials: numbers.slice(0, 200).join(","), limit: "200" } : { best: "0" };
  }

  const wanted = () => metric.value || recall("metric") || study.metric;
  const direction = () => (wanted() === study.metric ? study.direction : null);
  const train = () => (wanted() ? trainOf(wanted(), known) : undefined);
  /** @returns {string[]} the metrics that are asked for: what the train one is called is not known at first */
  const asked = () => (wanted() ? [wanted(), ...(known.length ? [train()] : mayBeTrain(wanted()))] : []).filter(Boolean);
  const address = () => {
    const query = new URLSearchParams(which());
    for (const one of asked()) query.append("metric", one);
    return `${study.base}/curves?${query}`;
  };
  const bandAddress = () => `${study.base}/analysis/band${wanted() ? `?metric=${encodeURIComponent(wanted())}` : ""}`;

  async function readCurves() {
    const told = asked();
    const mine = (reading += 1);
    const found = await call("GET", address());
    if (mine !== reading) return undefined; // something else was chosen meanwhile
    offer(found.metrics);
    if (asked().some((one) => !told.includes(one))) return readCurves(); // once more, now that the metrics are known
    shown = new Set(found.items.map((one) => one.number));
    curves.setView({ x: along.value, direction: direction() });
    curves.setBest(study.best());
    curves.set(found.items, wanted(), train());
    notes.curves = found.note;
    showGap();
    tell(found.items.length === 0);
    return undefined;
  }

  async function readBand() {
    const isAsked = hasBand.checked && known.includes(wanted());
    const found = isAsked ? await call("GET", bandAddress()) : { items: [], note: "" };
    curves.setView({ band: found.items });
    notes.band = found.items.length && along.value === "step" ? `grey: ${found.note}` : "";
    tell(shown.size === 0);
  }

  function showGap() {
    if (train() && direction()) gap.set(curves.all(), wanted(), train(), direction(), study.best());
    else gap.set([], wanted() ?? "", "", null, null);
    const none = panel.querySelector("#gap-empty");
    none.hidden = gap.has();
    none.textContent = !train() ? `Trials report no train_… beside ${wanted() ?? "a metric"}; with one, this shows how far the two are apart.`
      : direction() ? "No curve has both yet." : `Trialbook knows which way is better for ${study.metric ?? "the objective's metric"} only.`;
  }

  function tell(isEmpty) {
    says.note.textContent = [notes.curves, notes.band].filter(Boolean).join("; ");
    says.empty.hidden = !isEmpty;
    says.empty.textContent = mode.value === "chosen" ? "Type the numbers of trials above, or pick trials in the tab Parameters."
      : mode.value === "best" ? "No complete trial has reported anything yet." : "No trial has reported anything yet.";
  }

  /** Offer the metrics to choose from. @param {string[]} metrics */
  function offer(metrics) {
    if (metrics.join("\n") === known.join("\n")) return;
    const before = wanted();
    known = metrics;
    const names = choices(metrics);
    metric.replaceChildren(...names.map((one) => new Option(one, one)));
    metric.closest("label").hidden = names.length === 0;
    metric.value = names.includes(before) ? before : names.includes(study.metric) ? study.metric : (names[0] ?? "");
  }

  async function fresh() {
    await readCurves();
    await readBand();
  }

  const trying = (read) => () => read().catch(study.failed);
  const soonCurves = calmly(trying(readCurves), 1000);
  const soonBand = calmly(trying(readBand), 5000);
  const soonGap = calmly(showGap, 1000);
  addTools(panel.querySelector("#many-curves"), { name: "curves", study: study.name, option: curves.option, data: address });
  addTools(panel.querySelector("#gap"), { name: "gap", study: study.name, option: gap.option, data: address });
  lay();

  return {
    fresh,
    trial({ trial }) {
      curves.update(trial);
      if (shown.has(trial.number) || mode.value !== "chosen") soonCurves();
    },
    report(event) {
      const isNew = event.reports.some((one) => Object.keys(one.metrics).some((name) => !known.includes(name)));
      if (isNew || (!shown.has(event.number) && ["latest", "sample"].includes(mode.value)) || along.value === "seconds") soonCurves();
      else if (shown.has(event.number)) curves.append(event.number, event.reports);
      soonBand();
      soonGap();
    },
    picked(numbers) {
      if (!numbers && !before) return;
      if (numbers) before ??= [mode.value, trials.value];
      [mode.value, trials.value] = numbers ? ["chosen", [...numbers].slice(0, 200).join(", ")] : before;
      if (!numbers) before = null;
      lay();
      soonCurves();
    },
  };
}
