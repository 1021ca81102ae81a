// One image large with all that is known of it, and what it shares with the comparison of two.

import { href } from "./address.js";
import { details } from "./collection.js";
import { openDialog } from "./dialogs.js";
import { alertLine, button, bytes, icon, make, messageOf, targetOf, within } from "./dom.js";
import { Stage } from "./stage.js";
import { dateText, t } from "./text.js";
import { fileName, labels, sizeOf, thumbnail } from "./tiles.js";

/** @typedef {[name: string, value: string | null | undefined]} Row */

/**
 * Show one of several images; arrow keys lead to the others.
 * @param {api.Image[]} images
 */
export function showImage(images, at = 0) {
  const view = make("div", { class: "stage" });
  const stage = new Stage(view);
  const facts = make("aside", { class: "facts", tabindex: "0", "aria-label": t("compare.facts") });
  const search = make("a", { class: "button main", "aria-label": t("viewer.search") }, icon("search"), make("span", { text: t("viewer.search") }));
  const open = make("a", { class: "button", target: "_blank", rel: "noopener", "aria-label": t("compare.original") }, icon("open"), make("span", { text: t("compare.original") }));
  const stop = new AbortController();
  const turn = turner(images.length, at, show);
  const dialog = openDialog("", [make("div", { class: "stage-and-facts" }, view, facts)], {
    kind: "viewer", buttons: [search, open, ...turn.buttons], onClose: () => stop.abort(),
  });
  dialog.addEventListener("keydown", turn.onKey);
  search.addEventListener("click", () => dialog.close());
  turn.to(at);

  /** @param {number} number */
  async function show(number) {
    const image = images[number];
    within(dialog, "h2").textContent = fileName(image);
    stage.clear();
    stage.whole();
    stage.add(image.width || 1, image.height || 1, [make("img", { src: thumbnail(image, 1024), alt: image.name, draggable: "false" })]);
    search.href = href("search", { id: image.id });
    open.href = original(image);
    facts.replaceChildren(table(rows(image)));
    /** @type {api.Details | Error} */
    const known = await details(image.id, stop.signal).catch((error) => new Error(messageOf(error)));
    if (stop.signal.aborted || within(dialog, "h2").textContent !== fileName(image)) return;
    if (known instanceof Error) facts.append(alertLine(known.message));
    else facts.replaceChildren(table(rows(known)));
  }
}

/**
 * The address of an image's file.
 * @param {{ id: number }} image
 */
export const original = ({ id }) => `/api/v1/images/${id}/file`;

/**
 * Buttons and keys for the previous and the next of several images.
 * @param {number} total
 * @param {number} start
 * @param {(at: number) => unknown} show
 */
export function turner(total, start, show) {
  let at = start;
  const place = make("span", { class: "told" });
  const to = (/** @type {number} */ number) => {
    if (number < 0 || number >= total) return;
    at = number;
    place.textContent = t("viewer.place", { at: at + 1, total });
    back.disabled = at === 0;
    on.disabled = at === total - 1;
    show(at);
  };
  const back = button(t("viewer.previous"), { sign: "left", quiet: true, on: { click: () => to(at - 1) } });
  const on = button(t("viewer.next"), { sign: "right", quiet: true, on: { click: () => to(at + 1) } });
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const step = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (!step || targetOf(event).matches("input")) return;
    event.preventDefault();
    to(at + step);
  };
  return { to, onKey, buttons: total > 1 ? [make("span", { class: "grow" }), back, place, on] : [] };
}

/**
 * What is known of an image, by name.
 * @param {Partial<Shown>} image
 * @returns {Row[]}
 */
function rows(image) {
  const { name = "", path = "" } = image;
  const folder = path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")));
  return [
    [t("fact.name"), name.slice(name.lastIndexOf("/") + 1)], [t("fact.folder"), folder],
    [t("fact.taken"), image.taken ? dateText(new Date(image.taken.replace(" ", "T")), { dateStyle: "medium", timeStyle: "short" }) : null],
    [t("fact.camera"), image.camera], [t("fact.place"), image.place?.join(", ")], [t("fact.pixels"), sizeOf(image)],
    [t("fact.size"), image.size ? bytes(image.size) : null], [t("fact.format"), image.format],
    [t("fact.compression"), typeof image.lossless === "boolean" ? t(image.lossless ? "fact.lossless" : "fact.lossy") : null],
    [t("fact.depth"), image.depth ? String(image.depth) : null], [t("fact.frames"), (image.frames || 1) > 1 ? String(image.frames) : null],
    [t("fact.software"), image.software], [t("fact.label"), labels(image)],
    [t("fact.loses"), image.loses?.join(", ")],
  ];
}

/** @param {Row[]} pairs */
function table(pairs) {
  const body = pairs.filter(([, value]) => value).map(([name, value]) => make(
    "tr", {}, make("th", { scope: "row", text: name }), make("td", { text: value }),
  ));
  return make("table", {}, make("tbody", {}, ...body));
}

/**
 * What is known of two images; what is known to differ is bold.
 * @param {Shown} left
 * @param {Partial<Shown>} right
 * @param {string[]} names
 */
export function compareTable(left, right, names) {
  const others = rows(right), whole = "id" in left; // of a file that is searched for, little is known
  const body = rows(left).map(([name, value], at) => ({ name, value, other: others[at][1] })).filter(({ value, other }) => value || other);
  const head = make("tr", {}, make("td"), ...names.map((text) => make("th", { scope: "col", text })));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body.map(({ name, value, other }) => make(
    "tr", { class: value === other || !(whole || (value && other)) ? "" : "differs" }, make("th", { scope: "row", text: name }), make("td", { text: value || "–" }), make("td", { text: other || "–" }),
  ))));
}
