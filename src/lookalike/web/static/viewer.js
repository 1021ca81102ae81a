// One image large with all that is known of it, and what it shares with the comparison of two.

import { href } from "./address.js";
import { ask } from "./api.js";
import { openDialog } from "./dialogs.js";
import { alertLine, button, bytes, icon, make, messageOf, targetOf, within } from "./dom.js";
import { labels, sizeOf, thumbnail } from "./tiles.js";

/** @typedef {[name: string, value: string | null | undefined]} Row */

/**
 * Show one of several images; arrow keys lead to the others.
 * @param {api.Image[]} images
 */
export function showImage(images, at = 0) {
  const picture = make("img", { class: "large", alt: "" });
  const facts = make("div", { class: "facts" });
  const search = make("a", { class: "button main" }, icon("search"), make("span", { text: "Find similar images" }));
  const original = originalLink();
  const stop = new AbortController();
  const turn = turner(images.length, at, show);
  const dialog = openDialog("", [picture, facts], {
    kind: "viewer", buttons: [search, original, ...turn.buttons], onClose: () => stop.abort(),
  });
  dialog.addEventListener("keydown", turn.onKey);
  search.addEventListener("click", () => dialog.close());
  turn.to(at);

  /** @param {number} number */
  async function show(number) {
    const image = images[number];
    within(dialog, "h2").textContent = image.name;
    picture.src = thumbnail(image, 1024);
    picture.alt = image.name;
    search.href = href("search", { id: image.id });
    original.href = `/api/images/${image.id}/original`;
    facts.replaceChildren(table([["Pixels", sizeOf(image)], ["Label", labels(image)]]));
    /** @type {api.Details | Error} */
    const known = await details(image.id, stop.signal).catch((error) => new Error(messageOf(error)));
    if (images[number] !== image || stop.signal.aborted || picture.alt !== image.name) return;
    if (known instanceof Error) facts.append(alertLine(known.message));
    else facts.replaceChildren(table(rows(known)));
  }
}

// A link to an image's file; its address is set when the image is shown.
export function originalLink() {
  return make("a", { class: "button", target: "_blank", rel: "noopener" }, icon("open"), make("span", { text: "Open original" }));
}

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
    place.textContent = `${at + 1} of ${total}`;
    back.disabled = at === 0;
    on.disabled = at === total - 1;
    show(at);
  };
  const back = button("Previous", { sign: "left", quiet: true, on: { click: () => to(at - 1) } });
  const on = button("Next", { sign: "right", quiet: true, on: { click: () => to(at + 1) } });
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const step = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (!step || targetOf(event).matches("input")) return;
    event.preventDefault();
    to(at + step);
  };
  return { to, onKey, buttons: total > 1 ? [make("span", { class: "grow" }), back, place, on] : [] };
}

/** @param {number} id @param {AbortSignal} signal @returns {Promise<api.Details>} */
export function details(id, signal) {
  return ask(`/api/images/${id}`, { signal });
}

/**
 * What is known of an image, by name.
 * @param {Partial<Shown>} image
 * @returns {Row[]}
 */
export function rows(image) {
  return [
    ["Name", image.name], ["Pixels", sizeOf(image)], ["Size", image.size ? bytes(image.size) : null],
    ["Format", image.format], ["Label", labels(image)], ["Code", image.code], ["Path", image.path],
  ];
}

/** @param {Row[]} pairs */
function table(pairs) {
  const body = pairs.filter(([, value]) => value).map(([name, value]) => make(
    "tr", {}, make("th", { scope: "row", text: name }), make("td", { text: value }),
  ));
  return make("table", {}, make("tbody", {}, ...body));
}
