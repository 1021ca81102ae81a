// What the search shows before anything is searched for: a place for files, images to try, and three steps for a first visit.

import { href } from "./address.js";
import { info } from "./api.js";
import { images } from "./collection.js";
import { alertLine, button, icon, later, make } from "./dom.js";
import { Grid } from "./grid.js";
import { Rows } from "./layouts.js";
import { t } from "./text.js";
import { shape, tile } from "./tiles.js";

const TRIED = 18; // images to try
const SMALL = 20; // images; a collection with fewer is explained

export class Start {
  /** @param {(files: File[]) => unknown} take called with the files that were chosen */
  constructor(take) {
    this.file = make("input", { type: "file", id: "file", multiple: true, accept: "image/*,.heic,.heif,.tif,.tiff,.avif,.jxl,.jp2,.psd,.qoi,.tga,.dds,.icns,.sgi,.pcx", class: "unseen" });
    this.file.addEventListener("change", () => {
      const files = [...(this.file.files || [])];
      this.file.value = "";
      if (files.length) take(files);
    });
    const drop = make(
      "label", { class: "drop", for: "file" }, icon("upload"), make("strong", { text: t("start.choose") }), make("span", { text: t("start.paste") }),
    );
    this.problem = alertLine("");
    this.title = make("h2", { class: "sentence", text: t("start.title") });
    this.steps = make("ol", { class: "steps", hidden: true });
    this.grid = new Grid({ says: t("start.images"), tile: (image) => tile(image, { pixels: 180 }) });
    this.grid.node.classList.add("tried");
    const other = button(t("start.others"), { sign: "shuffle", class: "plain", on: { click: () => this.draw() } });
    this.tried = make("section", {}, make("div", { class: "bar" }, make("h3", { text: t("start.try") }), other), this.grid.node);
    this.node = make("div", { class: "start" }, this.title, this.problem, this.file, drop, this.steps, this.tried);
    this.drawn = false;
    addEventListener("collectionchange", () => { this.drawn = false; }); // also while another page is shown
  }

  /** @param {string} wrong */
  tell(wrong) {
    this.problem.textContent = wrong;
  }

  /** @param {AbortSignal} signal */
  async show(signal) {
    const redraw = later(() => this.draw(), 300);
    addEventListener("collectionchange", redraw, { signal });
    if (this.drawn) this.grid.measure();
    else await this.draw(signal);
  }

  /** @param {AbortSignal} [signal] */
  async draw(signal) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const { items: some, total } = await images({ sort: "random", seed, limit: TRIED }, signal);
    const height = this.node.clientWidth < 500 ? 96 : 150;
    this.grid.reset(some.length, some, new Rows(some.map(shape), { height }));
    this.drawn = true;
    this.tried.hidden = !total;
    await this.explain(total);
  }

  /**
   * Three steps, where there is nothing or little to search in.
   * @param {number} total
   */
  async explain(total) {
    this.steps.hidden = total >= SMALL;
    if (this.steps.hidden) return;
    const { write } = await info();
    const index = write
      ? make("a", { href: href("care"), text: t("start.indexHere") })
      : make("code", { text: "lookalike index FOLDER --db DB" });
    const step = (/** @type {string} */ title, /** @type {Child[]} */ ...words) => make("li", {}, make("strong", { text: title }), make("span", {}, ...words));
    this.steps.replaceChildren(
      step(t("start.step1"), `${t(total ? "start.step1Few" : "start.step1Text", { count: total })} `, index),
      step(t("start.step2"), t("start.step2Text")),
      step(t("start.step3"), `${t("start.step3Text")} `, make("a", { href: href("cleanup"), text: t("page.cleanup") })),
    );
  }
}
