// Tiles: a thumbnail that leads to a search for what looks like it, with words below.

import { href } from "./address.js";
import { button, make } from "./dom.js";

// The URL of an image's thumbnail for so many CSS pixels. `image`: as answers hold it, or an id.
export function thumbnail(image, pixels = 256) {
  const url = typeof image === "number" ? `/api/images/${image}/thumbnail` : image.thumbnail;
  const wanted = Math.min(1024, pixels * Math.min(2, devicePixelRatio || 1));
  const size = [64, 128, 256, 512, 1024].find((one) => one >= wanted * 0.8) || 1024;
  return size === 256 ? url : `${url}${url.includes("?") ? "&" : "?"}size=${size}`;
}

// Width by height; 1 if unknown, and no wider or higher than 3 : 1.
export function shape(image) {
  const found = image.width && image.height ? image.width / image.height : 1;
  return Math.min(3, Math.max(1 / 3, found));
}

// The label, or labels, as text; null if there is none.
export function labels(image) {
  return Array.isArray(image.label) ? image.label.join(", ") : image.label;
}

// Distance and what it means: 3/64 ● near-duplicate.
export function tier(hit) {
  return make(
    "span", { class: "caption" },
    make("span", { text: `${hit.distance}/${hit.bits}`, title: `${hit.distance} of ${hit.bits} bits differ` }),
    make("span", { class: `tier ${hit.tier.replace(" ", "-")}`, text: hit.tier }),
  );
}

// An <li> for an image. `lines`: nodes below it, instead of its name; `to`: where it leads; `actions`: buttons over it;
// `pixels`: how large it is shown, in CSS pixels.
export function tile(image, { lines, to, actions = [], pixels = 256, says } = {}) {
  const picture = make("img", {
    src: thumbnail(image, pixels), alt: "", loading: "lazy", decoding: "async", draggable: "false",
    on: { error: () => { picture.classList.add("broken"); frame.classList.add("unread"); } },
  });
  const frame = make("span", { class: "frame" }, picture);
  const words = lines || [make("span", { class: "name", text: image.name, title: image.path })];
  const link = make(
    "a", { href: to || href("search", { id: image.id }), "aria-label": says || saidOf(image), title: image.name },
    frame, ...words,
  );
  const item = make("li", { class: "tile", data: { id: image.id } }, link);
  if (actions.length) item.append(make("span", { class: "actions" }, ...actions));
  return item;
}

// What a tile is called for those who hear it.
export function saidOf(image) {
  const known = [image.name];
  if (image.distance !== undefined && image.tier) known.push(`${image.tier}, ${image.distance} of ${image.bits} bits`);
  if (labels(image)) known.push(labels(image));
  return known.join(", ");
}

// A small round button over a tile.
export function action(name, sign, run) {
  return button(name, { sign, quiet: true, on: { click: run } });
}

// Lay tiles out in rows of one height that fill the width: sets each frame's width and height.
// `items`: [{ node, shape }]; `gap`: between two of a row. The last row is not stretched.
export function justify(items, width, { height = 170, gap = 10 } = {}) {
  let row = [], sum = 0;
  const place = (high) => {
    for (const { node, shape: wide } of row) {
      node.style.width = `${Math.floor(100 * high * wide) / 100}px`;
      node.querySelector(".frame").style.height = `${high}px`;
    }
    [row, sum] = [[], 0];
  };
  for (const item of items) {
    row.push(item);
    sum += item.shape;
    const high = (width - gap * (row.length - 1)) / sum;
    if (high <= height) place(Math.floor(high));
  }
  if (row.length) place(height);
}
