// One image large with all that is known of it; two images compared.

import { href } from "./address.js";
import { ask } from "./api.js";
import { openDialog } from "./dialogs.js";
import { button, bytes, icon, make, say, still } from "./dom.js";
import { isTurned, labels, thumbnail, tier } from "./tiles.js";
import { loaded, turned } from "./turns.js";

const MODES = { beside: "Side by side", swipe: "Swipe", blink: "Blink", difference: "Difference" };
const LARGEST = 640; // pixels a side that are compared
const APART = 16; // of 255: from this on a pixel counts as different

// Show one of several images; arrow keys lead to the others.
export function showImage(images, at = 0) {
  const picture = make("img", { class: "large", alt: "" });
  const facts = make("div", { class: "facts" });
  const search = make("a", { class: "button main" }, icon("search"), make("span", { text: "Find look-alikes" }));
  const original = originalLink();
  const stop = new AbortController();
  const turn = turner(images.length, at, show);
  const dialog = openDialog("", [picture, facts], {
    kind: "viewer", buttons: [search, original, ...turn.buttons], onClose: () => stop.abort(),
  });
  dialog.addEventListener("keydown", turn.onKey);
  search.addEventListener("click", () => dialog.close());
  turn.to(at);

  async function show(number) {
    const image = images[number];
    dialog.querySelector("h2").textContent = image.name;
    picture.src = thumbnail(image, 1024);
    picture.alt = image.name;
    search.href = href("search", { id: image.id });
    original.href = `/api/images/${image.id}/original`;
    facts.replaceChildren(table([["Pixels", pixels(image)], ["Label", labels(image)]]));
    const known = await details(image.id, stop.signal).catch((error) => error);
    if (images[number] !== image || stop.signal.aborted || picture.alt !== image.name) return;
    if (known instanceof Error) facts.append(make("p", { class: "problem", text: known.message }));
    else facts.replaceChildren(table(rows(known)));
  }
}

// Compare a query, turned as a hit says, with one of its hits; arrow keys lead to the others.
// `query`: { url, name, width, height, format, size, label }; `hits`: as a search answers them; `names`: of the two.
export function compare(query, hits, at = 0, { names = ["Searched for", "Found"] } = {}) {
  const stage = make("div", { class: "stage" });
  const controls = make("div", { class: "bar" });
  const facts = make("div", { class: "facts" });
  const note = make("p", { class: "told", role: "status" });
  const original = originalLink();
  const stop = new AbortController();
  let mode = "beside";
  let now = { hit: null, known: null, leave: () => {} };
  let arranged = 0;
  const inTurn = new Map(); // the query by how it is turned
  const choices = Object.entries(MODES).map(([name, text]) => make(
    "button", { type: "button", text, "aria-pressed": "false", data: { mode: name }, on: { click: () => pick(name) } },
  ));
  const choice = make("div", { class: "choice", role: "group", "aria-label": "How to compare" }, ...choices);
  const turn = turner(hits.length, at, show);
  const dialog = openDialog("Compare", [controls, stage, note, facts], {
    kind: "viewer compare", buttons: [original, ...turn.buttons], onClose: () => { now.leave(); stop.abort(); forget(); },
  });
  controls.append(choice, make("span", { class: "grow" }), make("span", { class: "now" }));
  dialog.addEventListener("keydown", (event) => {
    const name = Object.keys(MODES)[Number(event.key) - 1];
    if (name) pick(name);
    else turn.onKey(event);
  });
  turn.to(at);

  function pick(name) {
    mode = name;
    for (const one of choices) one.setAttribute("aria-pressed", String(one.dataset.mode === mode));
    arrange();
  }

  async function show(number) {
    const hit = hits[number];
    now.leave();
    now = { hit, leave: () => {} };
    controls.querySelector(".now").replaceChildren(tier(hit));
    original.href = `/api/images/${hit.id}/original`;
    pick(mode);
    say(`${hit.name}, ${hit.tier}, ${hit.distance} of ${hit.bits} bits`);
    const known = await details(hit.id, stop.signal).catch(() => hit);
    if (now.hit === hit && !stop.signal.aborted) facts.replaceChildren(sideBySide(rows(query), rows(known), names));
  }

  async function arrange() {
    const { hit } = now;
    const number = ++arranged;
    now.leave();
    note.textContent = "";
    stage.replaceChildren(); // nothing of the pair before goes on while the query is turned
    const places = { beside, swipe, blink, difference };
    try {
      if (isTurned(hit) && !inTurn.has(hit.turned)) inTurn.set(hit.turned, turned(query, hit.turned, LARGEST));
      const first = isTurned(hit) ? await inTurn.get(hit.turned) : query;
      if (arranged !== number || stop.signal.aborted) return;
      const said = isTurned(hit) ? [`${names[0]}, ${hit.turned}`, names[1]] : names;
      const urls = [first.url, thumbnail(hit, LARGEST)];
      const leave = (await places[mode](stage, urls, [first, hit], note, said)) || (() => {});
      if (arranged === number && !stop.signal.aborted) now.leave = leave;
      else leave();
    } catch (error) {
      if (arranged === number) stage.replaceChildren(make("p", { class: "problem", text: error.message }));
    }
  }

  function forget() {
    for (const picture of inTurn.values()) picture.then(({ url }) => URL.revokeObjectURL(url), () => {});
  }
}

function beside(stage, urls, images, note, names) {
  stage.className = "stage beside";
  stage.replaceChildren(...urls.map((src, at) => make(
    "figure", {}, make("img", { src, alt: images[at].name }),
    make("figcaption", { class: "name", text: names[at] }),
  )));
}

function over(stage, kind, urls, images) {
  const both = urls.map((src, at) => make("img", { src, alt: images[at].name }));
  const frame = make("div", { class: "over" }, ...both);
  stage.className = `stage ${kind}`;
  stage.replaceChildren(frame);
  return { both, frame };
}

function swipe(stage, urls, images, note, names) {
  const { both, frame } = over(stage, "swipe", urls, images);
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

function blink(stage, urls, images, note, names) {
  const { both } = over(stage, "blink", urls, images);
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

async function difference(stage, urls, images, note) {
  stage.className = "stage difference";
  const canvas = make("canvas", { role: "img", "aria-label": "What differs is bright" });
  const gain = make("input", { type: "range", min: 1, max: 16, value: 4, id: "gain" });
  const label = make("label", { for: "gain", text: "Made brighter" });
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
  note.textContent = `On average ${mean.toFixed(1)} of 255 apart; ${(100 * share).toFixed(1)} % of the colour values `
    + `differ by ${APART} or more.${inWhichTurn(images)}${stretched(images)}`;
}

// |first − second| of each of red, green and blue, of two arrays of RGBA.
export function differences(first, second) {
  const apart = new Uint8Array((first.length / 4) * 3);
  for (let from = 0, to = 0; from < first.length; from += 4, to += 3) {
    apart[to] = Math.abs(first[from] - second[from]);
    apart[to + 1] = Math.abs(first[from + 1] - second[from + 1]);
    apart[to + 2] = Math.abs(first[from + 2] - second[from + 2]);
  }
  return apart;
}

function paint(canvas, apart, gain) {
  const out = new ImageData(canvas.width, canvas.height);
  for (let from = 0, to = 0; from < apart.length; from += 3, to += 4) {
    out.data[to] = gain * apart[from];
    out.data[to + 1] = gain * apart[from + 1];
    out.data[to + 2] = gain * apart[from + 2];
    out.data[to + 3] = 255;
  }
  canvas.getContext("2d").putImageData(out, 0, 0);
}

function pixelsOf(image, width, height) {
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

// A sentence if the first image is turned.
function inWhichTurn([first]) {
  return first.turn ? ` The image searched for is shown ${first.turn}.` : "";
}

// A sentence if two images have not the same shape.
function stretched([first, second]) {
  const [one, other] = [first, second].map((image) => image.width / image.height);
  return Math.abs(one / other - 1) > 0.02 ? " Their shapes differ, so one is stretched." : "";
}

function originalLink() {
  return make("a", { class: "button", target: "_blank", rel: "noopener" }, icon("open"), make("span", { text: "Open original" }));
}

// Buttons and keys for the one before and the one after.
function turner(total, start, show) {
  let at = start;
  const place = make("span", { class: "told" });
  const to = (number) => {
    if (number < 0 || number >= total) return;
    at = number;
    place.textContent = `${at + 1} of ${total}`;
    back.disabled = at === 0;
    on.disabled = at === total - 1;
    show(at);
  };
  const back = button("The one before", { sign: "left", quiet: true, on: { click: () => to(at - 1) } });
  const on = button("The next one", { sign: "right", quiet: true, on: { click: () => to(at + 1) } });
  const onKey = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.target.matches("input")) return;
    event.preventDefault();
    to(at + step);
  };
  return { to, onKey, buttons: total > 1 ? [make("span", { class: "grow" }), back, place, on] : [] };
}

function details(id, signal) {
  return ask(`/api/images/${id}`, { signal });
}

function pixels(image) {
  return image.width ? `${image.width} × ${image.height}` : null;
}

function rows(image) {
  return [
    ["Name", image.name], ["Pixels", pixels(image)], ["Size", image.size ? bytes(image.size) : null],
    ["Format", image.format], ["Label", labels(image)], ["Code", image.code], ["Path", image.path],
  ];
}

function table(pairs) {
  const body = pairs.filter(([, value]) => value).map(([name, value]) => make(
    "tr", {}, make("th", { scope: "row", text: name }), make("td", { text: value }),
  ));
  return make("table", {}, make("tbody", {}, ...body));
}

function sideBySide(left, right, names) {
  const body = left.map(([name, value], at) => [name, value, right[at][1]]).filter(([, one, other]) => one || other);
  const head = make("tr", {}, make("td"), ...names.map((text) => make("th", { scope: "col", text })));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body.map(([name, one, other]) => make(
    "tr", {}, make("th", { scope: "row", text: name }), make("td", { text: one || "–" }), make("td", { text: other || "–" }),
  ))));
}
