// Model: what made the codes, how its bits are used here, and what each bit reacts to. The address holds the bit.

import { ask, info, wait } from "./api.js";
import { alertLine, button, bytes, count, draw, falsePairs, icon, make, messageOf, number, say } from "./dom.js";
import { nameLine, rove, tile } from "./tiles.js";

const HIGH = 120; // of the charts, in their own units
const SHOWN = 12; // images of each value of a bit
const USUAL = [0.35, 0.65]; // shares of ones that count as balanced
/** @type {ModelPage | null} */
let page = null;

/** @typedef {import("./address.js").State} State */
/** @typedef {{ low: number, high: number, line: number, say: (value: number) => string }} Scale */

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  if (!page) {
    const [model, known] = await Promise.all([ask("/api/model", { signal: state.signal }), info()]);
    page = new ModelPage(container, state, model, known);
  }
  await page.show(state);
}

class ModelPage {
  /** @param {HTMLElement} container @param {State} state @param {api.Model} model @param {api.Info} known */
  constructor(container, state, model, known) {
    this.state = state;
    this.model = model;
    this.bits = known.bits;
    this.bit = 0;
    this.turn = 0; // counts files that were drawn
    this.looked = make("div", { class: "looked" });
    /** @type {SVGElement[]} */
    this.charts = [];
    this.drawn = make("div", { class: "drawn", "aria-live": "polite" });
    this.field = make("input", { type: "number", id: "bit", min: 0, max: this.bits - 1, step: 1 });
    this.back = button("Previous bit", { sign: "left", quiet: true, on: { click: () => this.pick(this.bit - 1) } });
    this.on = button("Next bit", { sign: "right", quiet: true, on: { click: () => this.pick(this.bit + 1) } });
    const parts = [card(model), facts(model, known)];
    container.append(
      make("div", { class: "about" }, ...parts), ...(model.use ? [this.balance(model.use)] : [noImages()]),
      ...(model.theta ? [this.theta(model.theta)] : []), this.reactions(), this.drawing(),
    );
  }

  /** @param {api.Balance} use */
  balance({ balance, constant, correlation, effective, images }) {
    const odd = balance.filter((share) => share < USUAL[0] || share > USUAL[1]).length;
    const words = `${odd ? count(odd, "bit") : "No bit"} ${odd > 1 ? "are" : "is"} outside 35 to 65 %; `
      + `${constant ? count(constant, "bit") : "none"} never ${constant > 1 ? "change" : "changes"}.`;
    const figures = list([
      ["Effective bits", `${effective.toFixed(1)} of ${balance.length}`], ["Mean correlation of two bits", correlation.toFixed(3)],
      ["Bits that never change", number(constant)], ["Codes examined", number(images)],
    ]);
    return make(
      "section", { class: "panel" }, make("h2", { text: "Bit balance" }),
      make("p", { class: "soft", text: `The share of images that have each bit set; half is best. ${words}` }),
      this.chart("Share of ones of each bit", balance, { low: 0, high: 1, line: 0.5, say: (value) => `${(100 * value).toFixed(1)} %` }),
      figures, numbers("Share of ones", balance.map((value) => `${(100 * value).toFixed(1)} %`)),
    );
  }

  /** @param {number[]} values */
  theta(values) {
    const most = Math.max(...values.map(Math.abs), 1e-9);
    return make(
      "section", { class: "panel" }, make("h2", { text: "Thresholds θ" }),
      make("p", { class: "soft", text: "A bit is 1 where the encoder's value is above its threshold." }),
      this.chart("Threshold of each bit", values, { low: -most, high: most, line: 0, say: (value) => value.toFixed(3) }),
      numbers("θ", values.map((value) => value.toFixed(4))),
    );
  }

  /**
   * Bars of one value per bit, starting at `line`; a bar leads to its bit. The table below has the same values.
   * @param {string} name
   * @param {number[]} values
   * @param {Scale} scale
   */
  chart(name, values, { low, high, line, say: told }) {
    const y = (/** @type {number} */ value) => HIGH * (1 - (value - low) / (high - low));
    const wide = 1000 / values.length;
    const bars = values.map((value, at) => {
      const top = Math.min(y(value), y(line));
      const bar = draw(
        "g", { class: "bit", "data-bit": at }, draw("title", { text: `Bit ${at}: ${told(value)}` }),
        draw("rect", { class: "reach", x: at * wide, y: 0, width: wide, height: HIGH }),
        draw("rect", { class: "value", x: at * wide + wide * 0.12, width: wide * 0.76, y: top, height: Math.max(1, Math.abs(y(value) - y(line))) }),
      );
      bar.addEventListener("click", () => this.pick(at));
      return bar;
    });
    const lines = [0.25, 0.5, 0.75].map((part) => draw("line", { class: part === 0.5 ? "middle" : "", x1: 0, x2: 1000, y1: HIGH * part, y2: HIGH * part }));
    const svg = draw("svg", { class: "bars", viewBox: `0 0 1000 ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label":
      `${name}: bars for ${values.length} bits, from ${told(Math.min(...values))} to ${told(Math.max(...values))}. All values are in the table below.` },
    ...lines, ...bars);
    this.charts.push(svg);
    const scale = make("div", { class: "scale", "aria-hidden": "true" }, ...[high, line, low].map((value) => make("span", { text: told(value).replace(".0 %", " %") })));
    const ends = make("div", { class: "ends", "aria-hidden": "true" }, make("span", { text: "bit 0" }), make("span", { text: `bit ${values.length - 1}` }));
    return make("div", { class: "chart" }, scale, svg, ends);
  }

  reactions() {
    this.field.addEventListener("change", () => this.field.validity.valid && this.pick(Number(this.field.value)));
    return make(
      "section", { class: "panel", id: "reactions" }, make("h2", { text: "What each bit reacts to" }),
      make("p", { class: "soft", text: "The images furthest above a bit's threshold, and those furthest below." }),
      make("div", { class: "bar" }, make("label", { for: "bit", text: "Bit" }), this.back, this.field, this.on), this.looked,
    );
  }

  // What the decoder draws of an image, or why there is none.
  drawing() {
    const title = make("h2", { text: "Reconstructions" });
    if (!this.model.decoder) return make("section", { class: "panel" }, title, make("p", { class: "soft", text: without(this.model) }));
    const file = make("input", { type: "file", id: "draw", accept: "image/*,.heic,.heif,.tif,.tiff,.avif", class: "unseen" });
    file.addEventListener("change", () => {
      const [chosen] = file.files || [];
      if (chosen) this.reconstruct(chosen);
      file.value = "";
    });
    const drop = make("label", { class: "drop", for: "draw" }, icon("upload"), make("strong", { text: "Choose an image, or drop it here" }));
    drop.addEventListener("drop", (event) => {
      const dropped = event.dataTransfer?.files[0];
      if (!dropped) return;
      event.preventDefault();
      event.stopPropagation(); // anywhere else on the page it is searched for
      document.body.classList.remove("dropping");
      this.reconstruct(dropped);
    });
    return make(
      "section", { class: "panel", id: "drawing" }, title,
      make("p", { class: "soft", text: "What the decoder draws from an image's latents: what the model keeps of it, before it is cut to bits. "
        + "The image is sent only to this server, which does not store it." }),
      file, drop, this.drawn,
    );
  }

  /** @param {File} file */
  async reconstruct(file) {
    const turn = ++this.turn;
    this.drawn.replaceChildren(make("p", { class: "told", text: `Drawing ${file.name} …` }));
    let shown;
    try {
      const { max_body: most } = await info();
      if (file.size > most) throw new Error(`It has ${bytes(file.size)}; this server accepts up to ${bytes(most)}`);
      const form = new FormData();
      form.append("file", file, file.name || "image.png");
      shown = await this.pair(file, await ask("/api/reconstruct", { form, signal: this.state.signal }));
    } catch (error) {
      if (this.state.signal.aborted) return;
      shown = [alertLine(`Cannot draw ${file.name}. ${messageOf(error)}`)];
    }
    if (turn === this.turn) this.drawn.replaceChildren(...shown);
  }

  /**
   * The image next to what was drawn, which is shown in the image's proportions.
   * @param {File} file
   * @param {Blob} picture
   */
  async pair(file, picture) {
    const original = make("img", { src: URL.createObjectURL(file), alt: `The image: ${file.name}` });
    const again = make("img", { src: URL.createObjectURL(picture), alt: `What the decoder draws of ${file.name}` });
    const known = await original.decode().then(() => true, () => false);
    if (known) again.style.aspectRatio = `${original.naturalWidth} / ${original.naturalHeight}`;
    const side = this.model.about.image?.side;
    const left = known ? original : make("p", { class: "soft", text: "This browser cannot display the image." });
    const figure = (/** @type {HTMLElement} */ node, /** @type {string} */ text) => make("figure", {}, node, make("figcaption", { class: "small soft", text }));
    return [figure(left, file.name), figure(again, `Drawn from ${count(this.bits, "latent")}, ${side} × ${side} pixels, grey`)];
  }

  /** @param {State} state */
  async show(state) {
    this.state = state;
    const bit = Math.min(this.bits - 1, state.number("bit") ?? 0);
    await this.look(bit);
  }

  /** @param {number} bit */
  pick(bit) {
    if (bit < 0 || bit >= this.bits) return;
    this.state.set({ bit });
    this.look(bit).catch((error) => this.looked.replaceChildren(alertLine(messageOf(error))));
  }

  /** @param {number} bit */
  async look(bit) {
    this.bit = bit;
    this.field.value = String(bit);
    this.back.disabled = bit === 0;
    this.on.disabled = bit === this.bits - 1;
    for (const one of this.charts.flatMap((chart) => [...chart.querySelectorAll(".bit")])) {
      one.classList.toggle("chosen", Number(one.getAttribute("data-bit")) === bit);
    }
    const bar = make("progress", { "aria-label": "Examining images" });
    const slow = setTimeout(() => this.looked.replaceChildren(make("div", { class: "working" }, make("p", { text: "Examining a few hundred images …" }), bar)), 150);
    try {
      const found = await wait(`/api/model/bits/${bit}`, {
        values: { top: SHOWN }, signal: this.state.signal, onProgress: (done, total) => { if (total) [bar.max, bar.value] = [total, done]; },
      });
      if (bit === this.bit && !this.state.signal.aborted) this.tell(found);
    } finally {
      clearTimeout(slow);
    }
  }

  /** @param {api.Bit} found */
  tell({ bit, by, looked_at: many, top, bottom }) {
    const code = by === "code" ? " Their files are gone, so only the bits are known, not how far the values are from θ." : "";
    this.looked.replaceChildren(
      strip(`Bit ${bit} is 1`, top), strip(`Bit ${bit} is 0`, bottom),
      make("p", { class: "soft small", text: `From a sample of ${count(many, "image")}.${code}` }),
    );
    say(`Bit ${bit}: ${count(top.length, "image")} with 1, ${bottom.length} with 0`);
  }
}

/** @param {string} title @param {api.Image[]} images */
function strip(title, images) {
  const tiles = make("ul", { class: "tiles strip", "aria-label": title }, ...images.map((image) => tile(image, { lines: [nameLine(image)], pixels: 120 })));
  tiles.dataset.empty = images.length ? "" : "No image of the sample.";
  rove(tiles);
  return make("div", {}, make("h3", { text: title }), tiles);
}

/** @param {api.Model} model */
function card({ card: text, name }) {
  const paragraphs = text.split(/\n\s*\n/).filter((one) => one.trim());
  const shown = paragraphs.length ? paragraphs : ["This model file has no description."];
  return make("section", { class: "panel" }, make("h2", { text: name }), ...shown.map((one) => make("p", { text: one.replace(/\s+/g, " ") })));
}

/** @param {api.Calibrated | null} found */
function calibrated(found) {
  if (!found) return null;
  const rate = found.rate ? `${found.rate.toExponential(1)} of pairs` : `at most ${found.rate_high.toExponential(1)} of pairs`;
  return `on ${number(found.images)} images, ${new Date(1000 * found.at).toLocaleDateString()}: ${rate} of different images count as near-duplicates; ${falsePairs(found)}`;
}

/** @param {api.Model} model @param {api.Info} known */
function facts({ about }, known) {
  const { image = {}, versions = {} } = about;
  /** @type {Row[]} */
  const rows = [
    ["Bits", number(known.bits)], ["Kind", about.model],
    ["Labels", about.supervised ? "used in training" : "not used"], ["Trained on", known.trained_on],
    ["Input", image.side ? `${image.side} × ${image.side} pixels, ${image.colour ? "colour" : "grey"}` : null],
    ["Epochs", about.epochs ? number(about.epochs) : null], ["Seed", about.seed === undefined ? null : String(about.seed)],
    ["Same", known.same ? `up to ${count(known.same, "bit")}` : null],
    ["Near-duplicate", known.duplicate < 0 ? "not used" : `up to ${count(known.duplicate, "bit")}`],
    ["Similar", `up to ${count(known.similar, "bit")}`],
    ["Calibrated", calibrated(known.calibration)],
    ["Different images", `at most 1 in 10,000 pairs within ${count(known.near, "bit")}`],
    ["Made with", Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")],
  ];
  return make("section", { class: "panel" }, make("h2", { text: "Facts" }), list(rows));
}

/** @typedef {[name: string, value: string | null | undefined]} Row */

/** @param {Row[]} rows */
function list(rows) {
  return make("dl", { class: "figures" }, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]));
}

/**
 * All values of a chart, for those who prefer to read them.
 * @param {string} name
 * @param {string[]} values
 */
function numbers(name, values) {
  const rows = values.map((value, at) => make("tr", {}, make("th", { scope: "row", text: at }), make("td", { text: value })));
  const head = make("tr", {}, make("th", { scope: "col", text: "Bit" }), make("th", { scope: "col", text: name }));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  return make("details", {}, make("summary", { text: "All values" }), make("div", { class: "values", tabindex: "0", role: "region", "aria-label": name }, table));
}

function noImages() {
  return make("p", { class: "nothing", text: "The collection is empty, so there are no bits to examine." });
}

/**
 * Why no image can be drawn.
 * @param {api.Model} model
 */
function without({ about }) {
  return /^(vae|cvae|csvae|vte)$/.test(about.model || "")
    ? "This model has no decoder: the file .decoder.onnx that training writes next to the model is missing, so no image can be drawn here."
    : "This model has no decoder: only the paper's autoencoders learn to draw an image again.";
}
