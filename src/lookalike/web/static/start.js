// What the search shows before anything is searched for: a place for a file, a field for a code, and images to try.

import { go } from "./address.js";
import { ask, info } from "./api.js";
import { alertLine, button, icon, later, make } from "./dom.js";
import { EMPTY, justify, rove, shape, tile } from "./tiles.js";

const TRIED = 14; // images to try

export class Start {
  /** @param {(file: File) => unknown} take called with a file that was chosen */
  constructor(take) {
    /** @type {Box[] | null} */
    this.items = null;
    this.file = make("input", { type: "file", id: "file", accept: "image/*,.heic,.heif,.tif,.tiff,.avif,.jxl,.jp2,.psd,.qoi,.tga,.dds,.icns,.sgi,.pcx", class: "unseen" });
    this.file.addEventListener("change", () => {
      const file = this.file.files?.[0];
      if (file) take(file);
      this.file.value = "";
    });
    const drop = make(
      "label", { class: "drop", for: "file" }, icon("upload"), make("strong", { text: "Choose an image, or drop it here" }),
      make("span", { text: "or paste one with Ctrl+V. It is sent only to this server, which does not store it." }),
    );
    this.problem = alertLine("");
    this.busy = make("p", { class: "told", role: "status" });
    this.images = make("ul", { class: "tiles tried", "aria-label": "Images to try" });
    const other = button("Show others", { sign: "shuffle", class: "plain", on: { click: () => this.draw() } });
    this.node = make(
      "div", { class: "start" }, this.problem, this.file, drop, this.busy, this.code(),
      make("div", { class: "bar" }, make("h2", { text: "Or try one of these" }), other), this.images,
    );
  }

  code() {
    const field = make("input", { id: "code", name: "code", required: true, spellcheck: "false", autocomplete: "off",
      autocapitalize: "off" });
    info().then(({ bits }) => {
      field.placeholder = "0".repeat(Math.min(16, bits / 4));
      field.pattern = `\\s*[0-9a-fA-F]{${bits / 4}}\\s*`;
      field.title = `${bits / 4} digits, each 0 to 9 or a to f`;
    }).catch(() => {});
    const form = make(
      "form", { class: "field code" }, make("label", { for: "code", text: "or enter an image's code" }), field,
      make("button", { text: "Search" }),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      go("search", { code: field.value.trim().toLowerCase() });
    });
    return form;
  }

  /** @param {string} wrong */
  tell(wrong, busy = "") {
    this.problem.textContent = wrong;
    this.busy.textContent = busy;
  }

  /** @param {AbortSignal} signal */
  async show(signal) {
    if (this.items) this.place();
    else await this.draw(signal);
    addEventListener("resize", later(() => this.place(), 60), { signal });
  }

  /** @param {AbortSignal} [signal] */
  async draw(signal) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    /** @type {api.Page} */
    const { images } = await ask("/api/images", { values: { sort: "random", seed, top: TRIED }, signal });
    this.items = images.map((image) => ({ node: tile(image), shape: shape(image) }));
    this.images.replaceChildren(...this.items.map((item) => item.node));
    this.images.dataset.empty = images.length ? "" : EMPTY;
    this.place();
    rove(this.images);
  }

  place() {
    const width = this.images.clientWidth;
    if (width && this.items) justify(this.items, width, { height: width < 500 ? 90 : 130 });
  }
}
