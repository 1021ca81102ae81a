// Same scene: bursts and series, none of whose pictures is a copy of another; the sharpest of each is proposed.

import { wait } from "./api.js";
import { compare } from "./compare.js";
import { button, make, messageOf } from "./dom.js";
import { number, t } from "./text.js";
import { thumbnail } from "./tiles.js";
import { showImage } from "./viewer.js";

/** @typedef {import("./address.js").State} State */

const PAGE = 40; // scenes per request
const AHEAD = "1200px 0px"; // how far out of sight more are requested
/** @type {Scenes | null} */
let list = null;

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  list ||= new Scenes(container);
  await list.show(state.signal);
}

class Scenes {
  /** @param {HTMLElement} container */
  constructor(container) {
    this.sentence = make("h2", { class: "sentence", role: "status" });
    this.working = make("div", { class: "working", role: "status" });
    this.list = make("div", { class: "scenes" });
    this.end = make("div", { class: "end" });
    this.problem = make("p", { class: "note" });
    /** @type {string | null} */
    this.next = null;
    this.loading = false;
    this.drawn = false;
    container.append(this.sentence, make("p", { class: "soft lead", text: t("scenes.lead") }), this.working, this.list, this.end, this.problem);
    new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) this.load(); }, { rootMargin: AHEAD }).observe(this.end);
  }

  /** @param {AbortSignal} signal */
  async show(signal) {
    if (this.drawn) return;
    const found = await this.page(null, signal);
    if (signal.aborted) return;
    this.drawn = true;
    this.sentence.textContent = found.total ? t("scenes.found", { count: found.total }) : t("scenes.none");
    this.add(found);
  }

  /** @param {string | null} cursor @param {AbortSignal} [signal] @returns {Promise<api.Scenes>} */
  page(cursor, signal) {
    const onProgress = (/** @type {number} */ done, /** @type {number} */ total) => this.working.replaceChildren(
      make("p", { text: total ? t("cleanup.comparing", { done: number(done), total: number(total) }) : t("cleanup.comparingAll") }),
      make("progress", total ? { max: total, value: done } : {}),
    );
    return wait("/api/v1/scenes", { values: { limit: PAGE, cursor }, signal, onProgress }).finally(() => this.working.replaceChildren());
  }

  async load() {
    if (this.loading || this.next === null) return;
    this.loading = true;
    try {
      this.add(await this.page(this.next));
    } catch (error) {
      this.problem.textContent = messageOf(error);
    } finally {
      this.loading = false;
    }
  }

  /** @param {api.Scenes} found */
  add(found) {
    this.next = found.next;
    this.list.append(...found.items.map((one) => this.scene(one)));
  }

  /** @param {api.Scene} scene */
  scene({ images, best, why }) {
    const first = images.filter((one) => one.id === best);
    const shown = [...first, ...images.filter((one) => one.id !== best)];
    const others = shown.slice(1);
    const compareThem = () => compare({ ...shown[0], url: thumbnail(shown[0], 640) }, others, 0, { names: [t("scenes.sharpest"), t("scenes.other")] });
    return make(
      "article", { class: "scene", "aria-label": t("scenes.shots", { count: images.length }) },
      make("header", {}, make("h3", { text: t("scenes.shots", { count: images.length }) }), make("span", { class: "soft", text: why }), make("span", { class: "grow" }),
        button(t("cleanup.compare"), { sign: "compare", class: "plain", on: { click: compareThem } })),
      make("ul", { class: "shots" }, ...shown.map((image, at) => make(
        "li", { class: image.id === best ? "best" : "" },
        make("button", { type: "button", class: "pick", title: image.path, "aria-label": `${image.name}${image.id === best ? `, ${t("scenes.sharpest")}` : ""}`,
          on: { click: () => showImage(shown, at) } },
        make("span", { class: "frame" }, make("img", { src: thumbnail(image, 256), alt: "", loading: "lazy", decoding: "async" })),
        image.id === best ? make("span", { class: "fate", text: t("scenes.sharpest") }) : null),
        make("span", { class: "name", text: image.name, title: image.path }),
      ))),
    );
  }
}
