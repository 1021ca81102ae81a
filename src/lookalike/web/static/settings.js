// Settings: which model makes the codes, how strict the answers are here, and how sure that is.

import { ask, info } from "./api.js";
import { alertLine, bytes, button, make, messageOf } from "./dom.js";
import { follow, JobLine } from "./jobs.js";
import { dateText, number, t } from "./text.js";

/** @typedef {import("./address.js").State} State */
/** @typedef {[name: string, value: string | null | undefined]} Row */

const LEVELS = /** @type {const} */ (["strict", "normal", "thorough"]);

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  if (container.querySelector(".panel")) return;
  /** @type {[api.Model, api.Info, api.Calibrated | null]} */
  const [model, known, calibration] = await Promise.all([
    ask("/api/v1/model", { signal: state.signal }), info(), ask("/api/v1/calibration", { signal: state.signal }),
  ]);
  container.append(strictness(known, calibration), modelPanel(model, known), collection(known));
}

/** @param {api.Info} known @param {api.Calibrated | null} calibration */
function strictness(known, calibration) {
  const meaning = make("div", { class: "stack" });
  const panel = make(
    "section", { class: "panel" }, make("h2", { text: t("settings.strictness") }), meaning,
    make("dl", { class: "figures" }, ...LEVELS.flatMap((one) => [make("dt", { text: t(`cleanup.level.${one}`) }), make("dd", { text: t(`settings.level.${one}`) })])),
  );
  draw(meaning, calibration);
  if (known.write) panel.append(...measure(meaning, known));
  else panel.append(make("p", { class: "soft" }, `${t("settings.readOnly")} `, make("code", { text: "lookalike calibrate --db DB" })));
  return panel;
}

/** @param {HTMLElement} meaning @param {api.Calibrated | null} found */
function draw(meaning, found) {
  meaning.replaceChildren(make("p", { class: "large", text: rateText(found) }));
  if (!found?.per_query) return;
  const copies = Object.entries(found.copies).map(([kind, one]) => make("li", {}, make("b", { text: `${Math.round((100 * one.count) / one.total)} %` }), ` ${kind}`));
  meaning.append(
    make("p", { class: "soft", text: t("settings.measured", { images: number(found.images), date: dateText(new Date(1000 * found.at)) }) }),
    ...(copies.length ? [make("p", { text: t("settings.copies") }), make("ul", { class: "rates" }, ...copies)] : []),
  );
}

/** @param {api.Calibrated | null} found */
function rateText(found) {
  if (!found?.per_query) return t("settings.notMeasured");
  const { count: wrong, total, high } = found.per_query;
  const searches = Math.round(wrong ? total / wrong : 1 / high);
  return t(wrong ? "settings.about" : "settings.below", { searches: number(searches) });
}

/**
 * A button that measures how often searches are wrong here.
 * @param {HTMLElement} meaning
 * @param {api.Info} known
 */
function measure(meaning, known) {
  const place = make("div", {});
  const run = async () => {
    go.disabled = true;
    try {
      /** @type {api.Job} */
      const job = await ask("/api/v1/calibration", { method: "POST" });
      const line = new JobLine(job, { title: t("care.calibrating") });
      place.replaceChildren(line.node);
      const ended = await follow(job, (now) => line.update(now));
      if (ended.state === "done") draw(meaning, await ask("/api/v1/calibration"));
    } catch (error) {
      place.replaceChildren(alertLine(messageOf(error)));
    } finally {
      go.disabled = false;
    }
  };
  const go = button(t("settings.measure"), { disabled: known.images === 0, on: { click: run } });
  return [make("div", { class: "buttons" }, go), place];
}

/** @param {api.Model} model @param {api.Info} known */
function modelPanel(model, known) {
  const { about, use } = model;
  const { image = {}, versions = {} } = about;
  const paragraphs = model.card.split(/\n\s*\n/).filter((one) => one.trim());
  /** @type {Row[]} */
  const rows = [
    [t("settings.kind"), about.model], [t("settings.bits"), number(known.bits)],
    [t("settings.labels"), t(about.supervised ? "settings.labelsUsed" : "settings.labelsNot")], [t("settings.trained"), known.trained_on],
    [t("settings.input"), image.side ? `${image.side} × ${image.side}` : null], [t("settings.epochs"), about.epochs ? number(about.epochs) : null],
    [t("settings.made"), Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")],
    [t("settings.effective"), use ? `${use.effective.toFixed(1)} / ${use.balance.length}` : null], [t("settings.constant"), use ? number(use.constant) : null],
  ];
  return make(
    "section", { class: "panel" }, make("h2", { text: t("settings.model") }), make("p", { class: "large", text: model.name }),
    make("details", {}, make("summary", { text: t("settings.card") }),
      ...(paragraphs.length ? paragraphs.map((one) => make("p", { text: one.replace(/\s+/g, " ") })) : [make("p", { text: t("settings.noCard") })]), list(rows)),
  );
}

/** @param {api.Info} known */
function collection(known) {
  /** @type {Row[]} */
  const rows = [
    [t("settings.images"), number(known.images)], [t("settings.folders"), known.roots.join("\n")],
    [t("settings.decisions"), t(known.write ? "settings.stored" : "settings.notStored")], [t("settings.trash"), known.trash || t("settings.noTrash")],
    [t("settings.upload"), bytes(known.max_body)],
  ];
  return make("section", { class: "panel" }, make("h2", { text: t("settings.collection") }), list(rows));
}

/** @param {Row[]} rows */
function list(rows) {
  return make("dl", { class: "figures" }, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]));
}
