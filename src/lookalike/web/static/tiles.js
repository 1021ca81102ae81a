// Tiles: pictures with a badge on them, and their name when they are pointed at; and what an image is called.

import { href } from "./address.js";
import { make } from "./dom.js";
import { LANGUAGE, t } from "./text.js";

/**
 * The URL of an image's thumbnail for a number of CSS pixels a side.
 * @param {api.Image | number} image as answers hold it, or an id
 */
export function thumbnail(image, pixels = 256) {
  const url = typeof image === "number" ? `/api/v1/images/${image}/thumbnail` : image.thumbnail;
  const wanted = Math.min(1024, pixels * Math.min(2, devicePixelRatio || 1));
  const size = [64, 128, 256, 512, 1024].find((one) => one >= wanted * 0.8) || 1024;
  return size === 256 ? url : `${url}${url.includes("?") ? "&" : "?"}size=${size}`;
}

/**
 * Width by height as tiles show it, which crop what is very wide or high; 1 if unknown.
 * @param {api.Image} image
 */
export function shape(image) {
  const found = image.width && image.height ? image.width / image.height : 1;
  return Math.min(2.5, Math.max(0.8, found));
}

/**
 * The last part of a path.
 * @param {string} path
 */
export const baseName = (path) => path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1) || path;

/**
 * The name of an image's file, without its folder.
 * @param {api.Image} image
 */
export const fileName = (image) => image.name.slice(image.name.lastIndexOf("/") + 1) || image.name;

/**
 * The folder of an image within the indexed one.
 * @param {api.Image} image
 */
export const folderOf = ({ name }) => name.slice(0, Math.max(0, name.lastIndexOf("/")));

/**
 * The label, or labels, as text; null if there is none.
 * @param {{ label?: string | string[] | null }} image
 */
export function labels(image) {
  return Array.isArray(image.label) ? image.label.join(", ") : image.label;
}

/**
 * 640 × 480, or null if that is unknown.
 * @param {{ width?: number | null, height?: number | null }} image
 */
export const sizeOf = (image) => (image.width ? `${image.width} × ${image.height}` : null);

const NAMED = /** @type {const} */ (["exact", "same-pixels", "edited", "same-scene", "similar", "different"]);

/**
 * Whether a hit shows the picture that was searched for.
 * @param {{ relation?: string }} hit
 */
export const isCopy = (hit) => ["exact", "same-pixels", "edited"].includes(hit.relation || "");

/**
 * What one image is to another, in words: "edited copy".
 * @param {string} [relation]
 */
export function relationName(relation) {
  const known = NAMED.find((one) => one === relation);
  return known ? t(`relation.${known}`) : relation || "";
}

/**
 * What was done to a copy: "cropped to the middle 56 %, brighter".
 * @param {{ done?: string, edits?: string[] }} image
 */
export function doneTo({ done = "", edits = [] }) {
  return LANGUAGE === "en" ? done : edits.map((one) => t(/** @type {import("./text.js").Key} */ (`edit.${one}`))).join(", ");
}

/**
 * The same, with what was done: "edited copy: cropped".
 * @param {{ relation?: string, done?: string, edits?: string[], verified?: boolean }} image
 */
export function said(image) {
  const done = doneTo(image) || (image.verified === false && isCopy(image) ? t("relation.unverified") : "");
  return done ? `${relationName(image.relation)}: ${done}` : relationName(image.relation);
}

/**
 * An <li> for an image: its picture leads to a search for it, unless `open` is given.
 * @template {api.Image} I
 * @param {I} image
 * @param {{ badge?: string, accent?: boolean, mark?: string, lines?: Child[], pixels?: number, open?: () => unknown, says?: string }} options
 *   `badge`: words at the left on the picture; `mark`: at the right; `lines`: nodes below it; `pixels`: its size on the
 *   screen; `open`: called when it is clicked; `says`: for screen readers, besides its name
 */
export function tile(image, { badge, accent = false, mark, lines = [], pixels = 256, open, says } = {}) {
  const picture = make("img", {
    src: thumbnail(image, pixels), alt: "", loading: "lazy", decoding: "async", draggable: "false",
    on: { error: () => { picture.classList.add("broken"); frame.classList.add("unread"); frame.dataset.unread = t("tile.unread"); } },
  });
  const frame = make(
    "span", { class: "frame" }, picture, badge ? make("span", { class: `badge${accent ? " accent" : ""}`, text: badge }) : null,
    mark ? make("span", { class: "badge right", text: mark }) : null, make("span", { class: "name", text: fileName(image) }),
  );
  const name = [image.name, says, labels(image)].filter(Boolean).join(", ");
  const link = make("a", { href: href("search", { id: image.id }), "aria-label": name, title: image.path }, frame, ...lines);
  if (open) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      open();
    });
  }
  return make("li", { class: "tile", data: { id: image.id } }, link);
}
