// Tiles: a thumbnail that leads to a search for similar images, with words below.

import { href } from "./address.js";
import { button, focused, make, targetOf, within } from "./dom.js";

export const EMPTY = "The collection is empty. Add images with: lookalike index IMAGES --db DB";
/** @type {Record<string, string>} */
const LABELS = { "same bytes": "exact copy", near: "near-duplicate", kept: "keep" };

/**
 * What the page calls a tier of the API.
 * @param {string} tier
 */
export const tierLabel = (tier) => LABELS[tier] || tier;

/**
 * The URL of an image's thumbnail for a number of CSS pixels a side.
 * @param {api.Image | number} image as answers hold it, or an id
 */
export function thumbnail(image, pixels = 256) {
  const url = typeof image === "number" ? `/api/images/${image}/thumbnail` : image.thumbnail;
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
 * The line below a tile that names the image.
 * @param {api.Image} image
 */
export function nameLine(image) {
  return make("span", { class: "name", text: fileName(image), title: image.path });
}

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

/** @type {Record<string, string>} */
const RELATIONS = { exact: "exact copy", "same-pixels": "same pixels", edited: "edited copy", "same-scene": "same scene" };
const QUARTERS = ["", "turned right", "upside down", "turned left"];

/**
 * Whether a hit shows the picture that was searched for.
 * @param {api.Hit} hit
 */
export const isCopy = (hit) => ["exact", "same-pixels", "edited"].includes(hit.relation);

/**
 * How the query must be mirrored and turned, in quarters, to lie like a hit: "mirrored, turned left", or "".
 * @param {{ transform?: number[] | null }} hit
 */
export function turnOf({ transform }) {
  if (!transform) return "";
  const mirrored = transform[0] * transform[4] < transform[1] * transform[3];
  const sign = mirrored ? -1 : 1;
  const quarters = Math.round((2 * Math.atan2(sign * transform[3], sign * transform[0])) / Math.PI);
  return [mirrored ? "mirrored" : "", QUARTERS[(quarters + 4) % 4]].filter(Boolean).join(", ");
}

/**
 * What a hit is to the query, or an image of a group to the one that is kept, in words.
 * @param {Compared | api.Hit} image
 */
export function said(image) {
  if (!image.relation) return tierLabel(image.tier || "");
  const words = RELATIONS[image.relation] || image.relation;
  return image.done ? `${words}: ${image.done}` : words;
}

/**
 * The lines that say what a hit is: ● edited copy, and what was done.
 * @param {Compared | api.Hit} image
 */
export function relation(image) {
  const kind = image.relation || (image.tier || "").replace(" ", "-");
  const [words, done] = said(image).split(": ");
  const not = "verified" in image && !image.verified ? "not verified" : "";
  return [
    make("span", { class: "caption" }, make("span", { class: `tier ${kind}`, text: words })),
    ...[done || not].filter(Boolean).map((text) => make("span", { class: "soft done", text, title: text })),
  ];
}

/**
 * An <li> for an image.
 * @param {api.Image | api.Hit} image
 * @param {{ lines?: Child[], actions?: Child[], pixels?: number }} options
 *   `lines`: nodes below it, instead of its name; `actions`: buttons over it; `pixels`: its size on the screen.
 */
export function tile(image, { lines = [nameLine(image)], actions = [], pixels = 256 } = {}) {
  const picture = make("img", {
    src: thumbnail(image, pixels), alt: "", loading: "lazy", decoding: "async", draggable: "false",
    on: { error: () => { picture.classList.add("broken"); frame.classList.add("unread"); } },
  });
  const frame = make("span", { class: "frame" }, picture);
  const link = make(
    "a", { href: href("search", { id: image.id }), "aria-label": saidOf(image), title: image.path }, frame, ...lines,
  );
  const item = make("li", { class: "tile", data: { id: image.id } }, link);
  if (actions.length) item.append(make("span", { class: "actions" }, ...actions));
  return item;
}

/**
 * A tile's name for screen readers.
 * @param {api.Image | api.Hit} image
 */
function saidOf(image) {
  const known = [image.name];
  if ("relation" in image) known.push(said(image));
  const words = labels(image);
  if (words) known.push(words);
  return known.join(", ");
}

/**
 * A small round button over a tile.
 * @param {string} name
 * @param {import("./dom.js").Sign} sign
 * @param {() => unknown} run
 */
export function action(name, sign, run) {
  return button(name, { sign, quiet: true, on: { click: run } });
}

/**
 * Lay tiles out in rows of one height that fill the width: sets each frame's width and height. The last row is not
 * stretched.
 * @param {Box[]} items
 * @param {number} width
 */
export function justify(items, width, { height = 170, gap = 10 } = {}) {
  /** @type {Box[]} */
  let row = [];
  let sum = 0;
  const place = (/** @type {number} */ high) => {
    for (const { node, shape: wide } of row) {
      node.style.width = `${Math.floor(100 * high * wide) / 100}px`;
      within(node, ".frame").style.height = `${high}px`;
    }
    [row, sum] = [[], 0];
  };
  for (const item of items) {
    row.push(item);
    sum += item.shape;
    const high = (width - gap * (row.length - 1)) / sum;
    if (high <= height) place(Math.floor(100 * high) / 100);
  }
  if (row.length) place(height);
}

/** @param {ParentNode} node @param {string} selector */
const allOf = (node, selector) => /** @type {NodeListOf<HTMLElement>} */ (node.querySelectorAll(selector));

/**
 * Let arrow keys go from tile to tile of a list, which is one stop for Tab. Call it again when tiles have come.
 * @param {HTMLElement} list
 */
export function rove(list) {
  if (!list.dataset.roving) {
    list.dataset.roving = "yes";
    list.addEventListener("keydown", (event) => move(list, event));
    list.addEventListener("focusin", (event) => choose(list, tileOf(targetOf(event))));
  }
  for (const item of allOf(list, ":scope > .tile:not([data-roved])")) {
    item.dataset.roved = "yes";
    reach(item, -1);
  }
  if (!chosen.get(list)?.isConnected) choose(list, list.querySelector(".tile"));
}

/** @type {WeakMap<HTMLElement, HTMLElement>} */
const chosen = new WeakMap(); // the tile of a list that Tab leads to

/** @param {HTMLElement} node @returns {HTMLElement | null} */
const tileOf = (node) => node.closest(".tile");

/** @param {HTMLElement} list @param {HTMLElement | null} item */
function choose(list, item) {
  const before = chosen.get(list);
  if (before) reach(before, -1);
  if (!item) {
    chosen.delete(list);
    return;
  }
  reach(item, 0);
  chosen.set(list, item);
}

/** @param {HTMLElement} item @param {number} index */
function reach(item, index) {
  for (const one of allOf(item, "a, button")) one.tabIndex = index;
}

/** @type {Record<string, number>} */
const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity, ArrowUp: 0, ArrowDown: 0 };

/** @param {HTMLElement} list @param {KeyboardEvent} event */
function move(list, event) {
  const item = tileOf(targetOf(event));
  const step = STEPS[event.key];
  if (!item || step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  const items = [...allOf(list, ":scope > .tile")].filter((one) => !one.hidden);
  const at = items.indexOf(item);
  const next = step ? Math.max(0, Math.min(items.length - 1, at + step)) : above(items, at, event.key === "ArrowDown");
  event.preventDefault();
  within(items[next], "a").focus();
}

/**
 * The tile above one, or below: in the next row, the one whose middle is nearest.
 * @param {HTMLElement[]} items
 * @param {number} at
 * @param {boolean} down
 */
function above(items, at, down) {
  const middle = (/** @type {HTMLElement} */ item) => item.offsetLeft + item.offsetWidth / 2;
  const own = items[at];
  const others = items.filter((one) => (down ? one.offsetTop > own.offsetTop : one.offsetTop < own.offsetTop));
  if (!others.length) return at;
  const row = others[down ? 0 : others.length - 1].offsetTop;
  const far = (/** @type {HTMLElement} */ one) => Math.abs(middle(one) - middle(own));
  return items.indexOf(others.filter((one) => one.offsetTop === row).sort((a, b) => far(a) - far(b))[0]);
}

/**
 * The tile of a list that has the focus, or null.
 * @param {string} list a selector
 */
export function focusedTile(list) {
  return /** @type {HTMLElement | null} */ (focused()?.closest(`${list} .tile`) ?? null);
}
