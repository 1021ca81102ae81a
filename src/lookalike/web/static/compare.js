// Two images compared: side by side, one over the other with a slider, blinking, and their difference.

import { openDialog } from "./dialogs.js";
import { alertLine, button, make, messageOf, say, still, within } from "./dom.js";
import { relation, said, thumbnail, turnOf } from "./tiles.js";
import { contextOf, loaded, turned } from "./turns.js";
import { details, originalLink, rows, turner } from "./viewer.js";

/**
 * What a way of comparing gets; what it returns, if anything, ends it.
 * @typedef {{ stage: HTMLElement, urls: string[], images: (Shown | Compared)[], note: HTMLElement, names: string[] }} Pair
 * @typedef {(pair: Pair) => void | (() => void) | Promise<void>} Mode
 */

/** @type {Record<string, [text: string, run: Mode]>} */
const MODES = {
  beside: ["Side by side", beside], swipe: ["Swipe", swipe], blink: ["Blink", blink], difference: ["Difference", difference],
};
const LARGEST = 640; // pixels a side that are compared
const APART = 16; // of 255: the least difference of two colour values that counts

/**
 * Compare a query, rotated as a hit says, with one of its hits; arrow keys lead to the others.
 * @param {Shown} query
 * @param {Compared[]} hits
 */
export function compare(query, hits, at = 0, { names = ["Your image", "Found"] } = {}) {
  const stage = make("div", { class: "stage" });
  const controls = make("div", { class: "bar" });
  const facts = make("div", { class: "facts" });
  const note = make("p", { class: "told", role: "status" });
  const original = originalLink();
  const stop = new AbortController();
  let mode = "beside";
  let hit = hits[at];
  let leave = () => {};
  let arranged = 0;
  /** @type {Map<string, ReturnType<typeof turned>>} */
  const inTurn = new Map(); // the query, by how it is rotated
  const choices = Object.entries(MODES).map(([name, [text]]) => make(
    "button", { type: "button", text, "aria-pressed": "false", data: { mode: name }, on: { click: () => pick(name) } },
  ));
  const choice = make("div", { class: "choice", role: "group", "aria-label": "How to compare" }, ...choices);
  const turn = turner(hits.length, at, show);
  const dialog = openDialog("Compare", [controls, stage, note, facts], {
    kind: "viewer compare", buttons: [original, ...turn.buttons], onClose: () => { leave(); stop.abort(); forget(); },
  });
  controls.append(choice, make("span", { class: "grow" }), make("span", { class: "now" }));
  dialog.addEventListener("keydown", (event) => {
    const name = Object.keys(MODES)[Number(event.key) - 1];
    if (name) pick(name);
    else turn.onKey(event);
  });
  turn.to(at);

  /** @param {string} name */
  function pick(name) {
    mode = name;
    for (const one of choices) one.setAttribute("aria-pressed", String(one.dataset.mode === mode));
    arrange();
  }

  /** @param {number} number */
  async function show(number) {
    const shown = hits[number];
    hit = shown;
    within(controls, ".now").replaceChildren(...relation(hit));
    original.href = `/api/images/${hit.id}/original`;
    pick(mode);
    say(`${hit.name}, ${said(hit)}`);
    const known = await details(hit.id, stop.signal).catch(() => shown);
    if (hit === shown && !stop.signal.aborted) facts.replaceChildren(sideBySide(query, known, names));
  }

  // The query, rotated if the hit says so.
  async function first() {
    const how = turnOf(hit);
    if (!how) return query;
    const picture = inTurn.get(how) || turned(query, how, LARGEST);
    inTurn.set(how, picture);
    return picture;
  }

  async function arrange() {
    const number = ++arranged;
    const isNow = () => arranged === number && !stop.signal.aborted;
    leave();
    leave = () => {};
    note.textContent = "";
    stage.replaceChildren(); // nothing of the pair before goes on while the query is rotated
    try {
      const own = await first();
      if (!isNow()) return;
      const turn = turnOf(hit);
      const labels = turn ? [`${names[0]}, ${turn}`, names[1]] : names;
      const urls = [String(own.url), thumbnail(hit, LARGEST)];
      const end = (await MODES[mode][1]({ stage, urls, images: [own, hit], note, names: labels })) || (() => {});
      if (isNow()) leave = end;
      else end();
    } catch (error) {
      if (arranged === number) stage.replaceChildren(alertLine(messageOf(error)));
    }
  }

  function forget() {
    for (const picture of inTurn.values()) picture.then(({ url }) => URL.revokeObjectURL(url), () => {});
  }
}

/** @type {Mode} */
function beside({ stage, urls, images, names }) {
  stage.className = "stage beside";
  stage.replaceChildren(...urls.map((src, at) => make(
    "figure", {}, make("img", { src, alt: images[at].name }),
    make("figcaption", { class: "name", text: names[at] }),
  )));
}

/** @param {Pair} pair @param {string} kind */
function over({ stage, urls, images }, kind) {
  const both = urls.map((src, at) => make("img", { src, alt: images[at].name }));
  const frame = make("div", { class: "over" }, ...both);
  stage.className = `stage ${kind}`;
  stage.replaceChildren(frame);
  return { both, frame };
}

/** @type {Mode} */
function swipe(pair) {
  const { stage, note, names, images } = pair;
  const { both, frame } = over(pair, "swipe");
  const slider = make("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Where one image ends" });
  const put = () => {
    both[1].style.clipPath = `inset(0 0 0 ${slider.value}%)`;
    frame.style.setProperty("--at", `${slider.value}%`);
  };
  slider.addEventListener("input", put);
  stage.append(slider);
  put();
  note.textContent = `Left: ${names[0].toLowerCase()}; right: ${names[1].toLowerCase()}.${stretched(images)}`;
}

/** @type {Mode} */
function blink(pair) {
  const { stage, note, names, images } = pair;
  const { both } = over(pair, "blink");
  let second = false;
  const put = () => {
    both[1].style.visibility = second ? "visible" : "hidden";
    note.textContent = `Now: ${names[Number(second)].toLowerCase()}.${stretched(images)}`;
  };
  const flip = () => { second = !second; put(); };
  stage.append(button("Flip", { on: { click: flip } }));
  put();
  if (still()) return () => {};
  const timer = setInterval(flip, 700);
  return () => clearInterval(timer);
}

/** @type {Mode} */
async function difference({ stage, urls, images, note }) {
  stage.className = "stage difference";
  const canvas = make("canvas", { role: "img", "aria-label": "Differences are bright" });
  const gain = make("input", { type: "range", min: 1, max: 16, value: 4, id: "gain" });
  const label = make("label", { for: "gain", text: "Brightness" });
  stage.replaceChildren(canvas, make("div", { class: "field" }, label, gain));
  const [first, second] = await Promise.all(urls.map(loaded));
  const scale = Math.min(1, LARGEST / Math.max(first.naturalWidth, first.naturalHeight));
  const width = Math.max(1, Math.round(first.naturalWidth * scale));
  const height = Math.max(1, Math.round(first.naturalHeight * scale));
  const apart = differences(pixelsOf(first, width, height), pixelsOf(second, width, height));
  [canvas.width, canvas.height] = [width, height];
  const put = () => paint(canvas, apart, Number(gain.value));
  gain.addEventListener("input", put);
  put();
  const mean = apart.reduce((sum, value) => sum + value, 0) / apart.length;
  if (!canvas.isConnected) return; // others are compared by now
  const share = apart.filter((value) => value >= APART).length / apart.length;
  note.textContent = `Mean difference ${mean.toFixed(1)} of 255; ${(100 * share).toFixed(1)} % of the colour values `
    + `differ by ${APART} or more.${inWhichTurn(images)}${stretched(images)}`;
}

/**
 * |first − second| of red, green and blue, of two arrays of RGBA.
 * @param {Uint8ClampedArray} first
 * @param {Uint8ClampedArray} second
 */
export function differences(first, second) {
  const apart = new Uint8Array((first.length / 4) * 3);
  for (let from = 0, to = 0; from < first.length; from += 4, to += 3) {
    apart[to] = Math.abs(first[from] - second[from]);
    apart[to + 1] = Math.abs(first[from + 1] - second[from + 1]);
    apart[to + 2] = Math.abs(first[from + 2] - second[from + 2]);
  }
  return apart;
}

/** @param {HTMLCanvasElement} canvas @param {Uint8Array} apart @param {number} gain */
function paint(canvas, apart, gain) {
  const out = new ImageData(canvas.width, canvas.height);
  for (let from = 0, to = 0; from < apart.length; from += 3, to += 4) {
    out.data[to] = gain * apart[from];
    out.data[to + 1] = gain * apart[from + 1];
    out.data[to + 2] = gain * apart[from + 2];
    out.data[to + 3] = 255;
  }
  contextOf(canvas).putImageData(out, 0, 0);
}

/** @param {HTMLImageElement} image @param {number} width @param {number} height */
function pixelsOf(image, width, height) {
  const context = contextOf(make("canvas", { width, height }), { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/**
 * A sentence if the first image is rotated.
 * @param {Pair["images"]} images
 */
function inWhichTurn([first]) {
  return "turn" in first && first.turn ? ` Your image is shown ${first.turn}.` : "";
}

/**
 * A sentence if two images have different proportions.
 * @param {Pair["images"]} images
 */
function stretched(images) {
  const [one, other] = images.map((image) => Number(image.width) / Number(image.height));
  return Math.abs(one / other - 1) > 0.02 ? " Their proportions differ, so one is stretched." : "";
}

/** @param {Shown} left @param {Partial<Shown>} right @param {string[]} names */
function sideBySide(left, right, names) {
  const others = rows(right);
  const body = rows(left).map(([name, value], at) => [name, value, others[at][1]]).filter(([, one, other]) => one || other);
  const head = make("tr", {}, make("td"), ...names.map((text) => make("th", { scope: "col", text })));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body.map(([name, one, other]) => make(
    "tr", {}, make("th", { scope: "row", text: name }), make("td", { text: one || "–" }), make("td", { text: other || "–" }),
  ))));
}
