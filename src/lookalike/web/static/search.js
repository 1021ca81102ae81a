// Search: by a file, an image of the collection, or a code. The address holds the id or code, radius and filters; of a
// file it holds the code, so that the link finds the same elsewhere, though without the file's thumbnail.

import { go, href } from "./address.js";
import { ask, Failure, info, isAbort } from "./api.js";
import { compare } from "./compare.js";
import { keys } from "./dialogs.js";
import { button, bytes, count, focused, icon, later, make, messageOf, number, present, say, seconds, within } from "./dom.js";
import { Filters } from "./filters.js";
import { formOf, given, gone, keyOf, wrongIn } from "./query.js";
import { Radius } from "./radius.js";
import { recall, remember } from "./sent.js";
import { Start } from "./start.js";
import { action, focusedTile, justify, nameLine, rove, shape, sizeOf, thumbnail, tier, tile, turnLine } from "./tiles.js";
import { showImage } from "./viewer.js";

/** @typedef {import("./address.js").State} State */

const FIRST = 100; // hits that are requested
const MOST = 1000; // and if the radius holds them all
const SOME = 150; // tiles that are made at once
const KEPT = 20; // answers
/** @type {Map<string, api.Answer>} */
const answers = new Map(); // by the question
/** @type {Search | null} */
let page = null;
let problem = "";
let files = 0; // that were searched for: of two only the later one is shown

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  page ||= new Search(container, state, await info());
  const shown = page;
  shown.state = state;
  keys("Search", {
    c: ["compare the focused image with yours", () => shown.withFocus((at) => shown.compare(at))],
    i: ["enlarge the focused image", () => shown.withFocus((at) => showImage(shown.hits, at))],
    o: ["choose a file", () => shown.file.click()],
    n: ["new search", () => go("search")],
  }, state.signal);
  addEventListener("resize", later(() => shown.place(), 60), { signal: state.signal });
  await shown.show(state);
}

/**
 * Search for a file, from whichever tab.
 * @param {File} file
 */
export async function searchFile(file) {
  files += 1;
  const turn = files;
  if (!page || location.pathname !== "/") go("search");
  page?.busy(`Searching for ${file.name} …`);
  try {
    const { max_body: most } = await info();
    if (file.size > most) throw new Failure(`it has ${bytes(file.size)}; this server accepts up to ${bytes(most)}`);
    /** @type {api.Answer} */
    const answer = await ask("/api/search", { form: formOf({ top: FIRST }, file) });
    if (turn !== files) return;
    keep(keyOf({ code: answer.query.code, top: FIRST }), answer);
    remember(file, answer.query);
    problem = "";
    go("search", { code: answer.query.code });
  } catch (error) {
    if (turn !== files) return;
    problem = `Cannot search for ${file.name || "the pasted image"}: ${lower(messageOf(error))}`;
    go("search");
  }
}

const lower = (/** @type {string} */ text) => text.charAt(0).toLowerCase() + text.slice(1);

/** @param {string} key @param {api.Answer} answer */
function keep(key, answer) {
  answers.delete(key);
  answers.set(key, answer);
  if (answers.size > KEPT) answers.delete(String(answers.keys().next().value));
}

class Search {
  /** @param {HTMLElement} container @param {State} state @param {api.Info} known */
  constructor(container, state, known) {
    this.state = state;
    this.known = known;
    /** @type {api.Answer | null} */
    this.answer = null;
    /** @type {api.Hit[]} */
    this.hits = [];
    /** @type {Box[]} */
    this.items = [];
    this.shown = 0; // hits within the radius
    this.alike = 0; // hits before the first different image
    this.isAll = false; // there are no more hits within the radius than are here
    this.top = FIRST;
    this.visit = 0; // counts questions
    this.frame = 0;
    /** @type {Shown} */
    this.query = { name: "" };
    this.start = new Start((file) => searchFile(file));
    this.file = this.start.file;
    this.asked = make("section", { class: "asked", "aria-label": "Your image" });
    this.radius = new Radius(known, (radius) => this.cut(radius));
    this.filters = new Filters(["label", "below", "since"], (changes) => {
      this.state.set(changes, { push: true });
      this.search();
    });
    this.turned = make("input", { type: "checkbox", id: "turned", on: { change: () => this.turn() } });
    this.turns = make("span", { class: "field" }, this.turned, make("label", { for: "turned", text: "Include mirrored and rotated" }));
    this.told = make("p", { class: "told", role: "status" });
    this.more = button("Show more", { class: "more", on: { click: () => this.ask(MOST) } });
    this.list = make("ol", { class: "tiles hits", "aria-label": "Results" });
    this.bar = make("div", { class: "bar stuck" }, this.radius.node, this.filters.node, this.turns, this.told);
    this.edge = make("p");
    this.near = button("Hide these", { on: { click: () => this.keepNear() } });
    this.near.hidden = known.similar < 0;
    this.line = make("li", { class: "edge" }, this.edge, this.near);
    this.found = make("div", { class: "found" }, this.asked, this.bar, this.list, this.more);
    this.address = later(() => this.state.set({ radius: this.radius.value }), 200);
    this.all = later(() => this.fill(), 150);
    container.append(this.start.node, this.found);
  }

  /** @param {State} state */
  async show(state) {
    this.start.tell(problem);
    problem = "";
    const some = state.get("id") || state.get("code");
    this.start.node.hidden = Boolean(some);
    this.found.hidden = !some;
    if (!some) return this.start.show(state.signal);
    this.radius.value = state.number("radius");
    this.filters.show(state.all());
    return this.search();
  }

  // Search again, for the image in all orientations or as it is.
  turn() {
    this.state.set({ turned: this.turned.checked ? 1 : null }, { push: true });
    this.search();
  }

  // The file that is searched for, if it is at hand; of an image of the collection the server has it.
  get sent() {
    return this.state.get("id") ? undefined : recall(String(this.state.get("code"))).file;
  }

  /** @param {string} text */
  busy(text) {
    this.told.textContent = text;
    this.start.tell("", text);
  }

  async search() {
    const wrong = wrongIn(this.state, this.known);
    if (wrong) {
      this.none();
      throw new Failure(wrong);
    }
    await this.ask(FIRST);
    const id = this.state.number("id");
    if (!this.state.signal.aborted) await this.tellAsked(id);
  }

  /**
   * Request hits, and show them.
   * @param {number} top
   */
  async ask(top) {
    const { state, sent } = this;
    const visit = ++this.visit;
    const canTurn = Boolean(state.get("id") || sent); // a code alone cannot be rotated
    this.turned.disabled = !canTurn;
    this.turned.checked = canTurn && state.get("turned") === "1";
    this.turns.title = canTurn ? "" : "Choose the image file again to use this";
    const asked = {
      id: state.number("id"), code: state.get("id") ? null : state.get("code"), top,
      label: state.get("label"), below: state.get("below"), since: state.get("since"),
      turned: this.turned.checked || null,
    };
    const key = keyOf(asked);
    if (!answers.has(key)) {
      this.list.setAttribute("aria-busy", "true");
      try {
        const body = asked.turned && sent ? { form: formOf({ ...asked, code: null }, sent) } : { json: given(asked) };
        keep(key, await ask("/api/search", { ...body, signal: state.signal }));
      } catch (error) {
        if (!isAbort(error)) this.none();
        throw error instanceof Failure && error.status === 404 && asked.id !== null && !asked.turned ? new Failure(gone(asked.id), 404) : error;
      } finally {
        this.list.removeAttribute("aria-busy");
      }
    }
    const answer = answers.get(key);
    if (answer && !state.signal.aborted && visit === this.visit) this.take(answer, top);
  }

  none() {
    this.hits = [];
    this.items = [];
    this.shown = 0;
    this.list.replaceChildren();
    this.asked.replaceChildren();
    this.told.textContent = "";
    this.more.hidden = true;
  }

  /** @param {api.Answer} answer @param {number} top */
  take(answer, top) {
    this.answer = answer;
    this.top = top;
    this.hits = answer.hits;
    const different = this.hits.findIndex((hit) => hit.tier === "different");
    this.alike = different < 0 ? this.hits.length : different;
    this.edge.textContent = this.beyond();
    this.items = [];
    this.list.replaceChildren();
    this.radius.draw(this.hits);
    this.filters.suggest(this.hits);
    this.cut(this.radius.value, { write: false });
    say(this.told.textContent);
  }

  /** @param {api.Hit} hit @param {number} at */
  tile(hit, at) {
    return tile(hit, {
      lines: present([tier(hit), turnLine(hit), nameLine(hit)]),
      actions: [
        action("Compare", "compare", () => this.compare(at)), action("Enlarge", "info", () => showImage(this.hits, at)),
      ],
    });
  }

  /**
   * Show the hits within a radius.
   * @param {number | null} radius
   */
  cut(radius, { write = true } = {}) {
    const beyond = radius === null ? -1 : this.hits.findIndex((hit) => hit.distance > radius);
    this.shown = beyond < 0 ? this.hits.length : beyond;
    this.isAll = beyond >= 0 || this.hits.length < this.top;
    this.makeTiles();
    this.tell(radius);
    if (write) this.address();
    if (radius !== null && !this.isAll && this.top < MOST) this.all();
  }

  // Make the tiles that are shown for the first time, some at once, and hide those beyond.
  makeTiles() {
    cancelAnimationFrame(this.frame);
    const before = this.items.length;
    const end = Math.min(this.shown, before + SOME);
    for (let at = before; at < end; at += 1) {
      this.items.push({ node: this.tile(this.hits[at], at), shape: shape(this.hits[at]) });
      if (at === this.alike) this.list.append(this.line);
      this.list.append(this.items[at].node);
    }
    this.items.forEach((item, at) => { item.node.hidden = at >= this.shown; });
    this.line.hidden = this.alike >= this.shown;
    this.place();
    if (end > before) rove(this.list);
    if (end < this.shown) this.frame = requestAnimationFrame(() => this.makeTiles());
  }

  // Hits that look alike and are shown, without the image that is searched for.
  copies() {
    return this.hits.slice(0, Math.min(this.alike, this.shown)).filter((hit) => hit.id !== this.state.number("id"));
  }

  // The sentence between the hits that look alike and the others.
  beyond() {
    const others = this.hits.slice(0, this.alike).filter((hit) => hit.id !== this.state.number("id"));
    return others.length ? "Most likely different images" : "No other image looks similar. These are the nearest, and most likely different";
  }

  keepNear() {
    this.radius.value = this.known.similar;
    this.cut(this.known.similar);
    /** @type {HTMLElement | null} */
    const first = this.list.querySelector(".tile:not([hidden]) a");
    first?.focus();
  }

  fill() {
    if (!this.isAll && this.radius.value !== null && this.top < MOST) this.ask(MOST).catch(() => {});
  }

  /** @param {number | null} radius */
  tell(radius) {
    const { images, seconds: took } = this.answer || { images: 0, seconds: 0 };
    const copies = this.copies().length;
    const more = this.isAll ? "" : "+"; // there may be more beyond those requested
    const words = radius !== null ? `${number(this.shown)}${more} within distance ${radius}`
      : `${copies ? number(copies) : "No"}${this.alike < this.hits.length ? "" : more} similar ${copies === 1 ? "image" : "images"}`;
    this.told.replaceChildren(make("b", { text: words }), ` · ${count(images, "image")} searched in ${seconds(took)}`);
    this.more.hidden = this.isAll || radius !== null || this.top >= MOST;
    this.list.dataset.empty = this.shown ? "" : radius === null ? "No image matches these filters." : "No image within this distance.";
  }

  place() {
    if (this.found.hidden) return;
    const width = this.list.clientWidth;
    const height = width < 500 ? 130 : 165;
    justify(this.items.slice(0, Math.min(this.alike, this.shown)), width, { height });
    justify(this.items.slice(this.alike, this.shown), width, { height });
  }

  /** @param {(at: number) => unknown} run gets the hit whose tile has the focus */
  withFocus(run) {
    const item = focusedTile(".hits");
    const at = this.items.findIndex(({ node }) => node === item);
    if (at < 0) return false;
    run(at);
    return true;
  }

  /** @param {number} at */
  compare(at) {
    if (this.query.url) compare(this.query, this.hits.slice(0, this.shown), at);
    else say("Your image is not available, so nothing can be compared with it.");
  }

  /**
   * Show what is searched for, with its thumbnail.
   * @param {number | null} id
   */
  async tellAsked(id) {
    const { state } = this;
    const code = this.answer?.query.code || "";
    /** @type {api.Details | null} */
    const image = id === null ? null : await ask(`/api/images/${id}`, { signal: state.signal });
    if (state.signal.aborted) return;
    this.query = image ? { ...image, url: thumbnail(image, 640) } : { name: "Search by code", code, ...recall(code) };
    this.list.classList.toggle("no-compare", !this.query.url);
    const facts = [sizeOf(this.query), this.query.format, this.query.size ? bytes(this.query.size) : null].filter(Boolean);
    this.asked.replaceChildren(
      this.picture(), make(
        "div", { class: "words" }, make("h2", { text: this.query.name, title: this.query.path || `Code ${code}`, tabindex: "-1" }),
        make("p", { class: "small soft", text: facts.join(" · ") }),
      ), make("div", { class: "buttons" }, ...this.buttons(image)),
    );
    if (focused() === document.body) within(this.asked, "h2").focus({ preventScroll: true });
  }

  /** @param {api.Image | null} image */
  buttons(image) {
    const link = button("Copy link", { sign: "link", on: { click: () => copy(location.href, within(link, "span")) } });
    return [
      image ? make("a", { class: "button", href: `/api/images/${image.id}/original`, target: "_blank", rel: "noopener" },
        icon("open"), make("span", { text: "Original" })) : null,
      link, button("Other image", { sign: "upload", on: { click: () => this.file.click() } }),
      make("a", { class: "button", href: href("search") }, icon("close"), make("span", { text: "Clear" })),
    ];
  }

  picture() {
    const { url, name } = this.query;
    if (!url) return make("span", { class: "thumb" }, icon("code"));
    const image = make("img", { class: "thumb", src: url, alt: `Your image: ${name}` });
    image.addEventListener("error", () => {
      this.query.url = null;
      this.list.classList.add("no-compare");
      image.replaceWith(make("span", { class: "thumb" }, icon("code")));
    });
    return image;
  }
}

/** @param {string} text @param {HTMLElement} from */
async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
    from.textContent = "Copied";
  } catch {
    from.textContent = "Copy it from the address bar";
  }
  say(from.textContent);
  setTimeout(() => { from.textContent = "Copy link"; }, 2500);
}
