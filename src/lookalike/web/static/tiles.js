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

// Width by height as tiles show it, which crop what is very wide or high; 1 if unknown.
export function shape(image) {
  const found = image.width && image.height ? image.width / image.height : 1;
  return Math.min(2.5, Math.max(0.8, found));
}

// The name of an image's file, without its folder.
export function fileName(image) {
  return image.name.slice(image.name.lastIndexOf("/") + 1) || image.name;
}

// The line below a tile that names the image.
export function nameLine(image) {
  return make("span", { class: "name", text: fileName(image), title: image.path });
}

// The label, or labels, as text; null if there is none.
export function labels(image) {
  return Array.isArray(image.label) ? image.label.join(", ") : image.label;
}

// Whether a hit was found by the query mirrored or turned.
export const isTurned = (hit) => Boolean(hit.turned) && hit.turned !== "upright";

// The line that says how what was searched for is turned to look like a hit; null if it is not.
export function turnLine(hit) {
  return isTurned(hit) ? make("span", { class: "turn", text: hit.turned, title: hit.turned }) : null;
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
  const words = lines || [nameLine(image)];
  const link = make(
    "a", { href: to || href("search", { id: image.id }), "aria-label": says || saidOf(image), title: image.path },
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
  if (isTurned(image)) known.push(image.turned);
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
    if (high <= height) place(Math.floor(100 * high) / 100);
  }
  if (row.length) place(height);
}

// Let arrow keys go from tile to tile of a list, which is one stop for Tab. Call it again when tiles have come.
export function rove(list) {
  if (!list.dataset.roving) {
    list.dataset.roving = "yes";
    list.addEventListener("keydown", (event) => move(list, event));
    list.addEventListener("focusin", (event) => choose(list, event.target.closest(".tile")));
  }
  for (const item of list.querySelectorAll(":scope > .tile:not([data-roved])")) {
    item.dataset.roved = "yes";
    reach(item, -1);
  }
  if (!chosen.get(list)?.isConnected) choose(list, list.querySelector(".tile"));
}

const chosen = new WeakMap(); // the tile of a list that Tab leads to

function choose(list, item) {
  if (chosen.get(list)) reach(chosen.get(list), -1);
  if (item) reach(item, 0);
  chosen.set(list, item);
}

function reach(item, index) {
  for (const one of item.querySelectorAll("a, button")) one.tabIndex = index;
}

function move(list, event) {
  const item = event.target.closest(".tile");
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity, ArrowUp: 0, ArrowDown: 0 }[event.key];
  if (!item || step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  const items = [...list.children].filter((one) => !one.hidden && one.matches(".tile")); // not a line between them
  const at = items.indexOf(item);
  const next = step ? Math.max(0, Math.min(items.length - 1, at + step)) : beside(items, at, event.key === "ArrowDown");
  event.preventDefault();
  items[next].querySelector("a").focus();
}

// The tile above or below one: in the next row, the one whose middle is nearest.
function beside(items, at, down) {
  const middle = (item) => item.offsetLeft + item.offsetWidth / 2;
  const own = items[at];
  const others = items.filter((one) => (down ? one.offsetTop > own.offsetTop : one.offsetTop < own.offsetTop));
  if (!others.length) return at;
  const row = down ? others[0].offsetTop : others.at(-1).offsetTop;
  const far = (one) => Math.abs(middle(one) - middle(own));
  return items.indexOf(others.filter((one) => one.offsetTop === row).sort((a, b) => far(a) - far(b))[0]);
}
