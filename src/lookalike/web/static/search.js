// Search: whether a picture is here, and what is like it. The address holds an image's id, or the code of a file, filters, and how
// much is shown; of a file the code, so that the link finds what is similar elsewhere, too, though without the file no copies.

import { go, href } from "./address.js";
import { Failure, info, isAbort } from "./api.js";
import { Batch } from "./batch.js";
import { details, folded, search, searchFile as sendFile } from "./collection.js";
import { compare } from "./compare.js";
import { keys } from "./dialogs.js";
import { button, bytes, focused, icon, make, messageOf, present, say, seconds, within } from "./dom.js";
import { Filters, NAMES } from "./filters.js";
import { Grid } from "./grid.js";
import { Rows } from "./layouts.js";
import { wrongIn } from "./query.js";
import { previewOf, recall, remember } from "./sent.js";
import { Start } from "./start.js";
import { Strictness, STOPS, stopOf } from "./strictness.js";
import { listText, t } from "./text.js";
import { doneTo, folderOf, isCopy, relationName, said, shape, sizeOf, thumbnail, tile } from "./tiles.js";
import { original, showImage } from "./viewer.js";

/** @typedef {import("./address.js").State} State */

/** @type {Search | null} */
let page = null;
let problem = "";
let files = 0; // that were searched for: of two only the later one is shown

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  page ||= new Search(container, state, await info());
  const shown = page;
  shown.state = state;
  keys(t("page.search"), {
    c: [t("search.keyCompare"), () => shown.withFocus((at) => shown.compare(at))],
    i: [t("search.keyEnlarge"), () => shown.withFocus((at) => showImage(shown.hits, at))],
    o: [t("search.keyFile"), () => shown.start.file.click()],
    n: [t("search.keyNew"), () => go("search")],
  }, state.signal);
  await shown.show(state);
}

/**
 * Search for files, from whichever page: for one, or for several at once.
 * @param {File[]} given
 */
export async function searchFiles(given) {
  if (given.length === 1) return searchFile(given[0]);
  if (!page) go("search");
  page ||= await ready();
  const run = page.batch.run(given); // it has rows from now on, which the address leads to
  go("search", { several: 1 });
  return run;
}

/**
 * Say in the search's place what cannot be done.
 * @param {string} text
 */
export function tellProblem(text) {
  problem = text;
  go("search");
}

// The page, once the address has led to it.
async function ready() {
  while (!page) await new Promise((done) => setTimeout(done, 20));
  return page;
}

/** @param {File} file */
async function searchFile(file) {
  files += 1;
  const turn = files;
  const name = file.name || t("search.pasted");
  if (!page || location.pathname !== "/") go("search");
  page ||= await ready();
  page.pending(name);
  const preview = previewOf(file);
  preview.then((url) => { if (turn === files) page?.preview({ name, url, size: file.size }); });
  try {
    const { max_body: most } = await info();
    if (file.size > most) throw new Failure(t("search.tooLarge", { size: bytes(file.size), most: bytes(most) }));
    const answer = await sendFile(file);
    const url = await preview;
    if (turn !== files) return;
    remember(file, answer.query, url);
    problem = "";
    go("search", { code: answer.query.code });
  } catch (error) {
    if (turn === files) tellProblem(t("search.cannot", { name, why: lower(messageOf(error)) }));
  }
}

const lower = (/** @type {string} */ text) => text.charAt(0).toLowerCase() + text.slice(1);

/** @typedef {{ name: "copies" | "scene" | "similar", has: (stop: number) => boolean, height: number, below: number }} Block */
/** @type {Block[]} */
const BLOCKS = [
  { name: "copies", has: (stop) => stop === 0, height: 230, below: 44 },
  { name: "scene", has: (stop) => stop === 1, height: 190, below: 0 },
  { name: "similar", has: (stop) => stop > 1, height: 150, below: 0 },
];
/** @typedef {import("./collection.js").Hit} Hit */

class Search {
  /** @param {HTMLElement} container @param {State} state @param {api.Info} known */
  constructor(container, state, known) {
    this.state = state;
    this.known = known;
    /** @type {api.Answer | null} */
    this.answer = null;
    /** @type {Hit[]} */
    this.hits = []; // all that are shown, in order
    this.visit = 0; // counts questions
    /** @type {Shown} */
    this.query = { name: "" };
    this.start = new Start((chosen) => searchFiles(chosen));
    this.batch = new Batch(searchFile);
    this.asked = make("section", { class: "asked", "aria-label": t("search.yours") });
    this.sentence = make("h2", { class: "sentence", tabindex: "-1", role: "status" });
    this.told = make("p", { class: "told" });
    this.filters = new Filters(NAMES, (changes) => {
      this.state.set(changes, { push: true });
      this.search();
    });
    this.strictness = new Strictness((stop) => {
      this.state.set({ show: STOPS[stop] === this.usual ? null : STOPS[stop] });
      this.fill();
    });
    this.blocks = BLOCKS.map((block) => this.block(block));
    this.unfold = button("", { class: "unfold", on: { click: () => this.showSimilar() } });
    this.empty = make("p", { class: "nothing" });
    this.bar = make("div", { class: "bar" }, this.filters.node, make("span", { class: "grow" }), this.strictness.node);
    this.found = make(
      "div", { class: "found" }, this.asked,
      make("div", { class: "answer" }, this.sentence, this.told, this.bar, ...this.blocks.map(({ node }) => node), this.unfold, this.empty),
    );
    container.append(this.start.node, this.batch.node, this.found);
  }

  /** @param {Block} block */
  block(block) {
    /** @type {Grid<Hit>} */
    const grid = new Grid({ says: t(`block.${block.name}`), tile: (hit) => this.tile(hit, block) });
    const title = make("h3");
    const node = make("section", { class: `block block-${block.name}`, hidden: true }, title, grid.node);
    return { ...block, grid, title, node };
  }

  /** @param {State} state */
  async show(state) {
    this.start.tell(problem);
    problem = "";
    const some = state.get("id") || state.get("code");
    const several = Boolean(state.get("several") && this.batch.rows.length);
    this.start.node.hidden = Boolean(some) || several;
    this.batch.node.hidden = Boolean(some) || !several;
    this.found.hidden = !some;
    if (several && !some) return undefined;
    if (!some) return this.start.show(state.signal);
    this.filters.show(state.all());
    return this.search();
  }

  // What is shown until somebody chooses more or less.
  get usual() {
    return this.canVerify ? "scene" : "similar";
  }

  get stop() {
    const at = STOPS.findIndex((one) => one === (this.state.get("show") || this.usual));
    return at < 0 ? 1 : at;
  }

  // The file that is searched for, if it is at hand; of an image of the collection the server has it.
  get sent() {
    return this.state.get("id") ? undefined : recall(String(this.state.get("code"))).file;
  }

  // Whether the server has seen the picture that is searched for.
  get canVerify() {
    return Boolean(this.state.get("id") || this.sent);
  }

  /**
   * Show that a file is searched for.
   * @param {string} name
   */
  pending(name) {
    this.start.node.hidden = true;
    this.batch.node.hidden = true;
    this.found.hidden = false;
    this.none();
    this.bar.hidden = true;
    this.sentence.textContent = t("search.searching");
    this.empty.replaceChildren(make("span", { class: "skeletons" }, ...Array.from({ length: 6 }, () => make("span", { class: "skeleton" }))));
    this.asked.replaceChildren(make("span", { class: "query skeleton" }), make("p", { class: "query-name", text: name }));
  }

  /** @param {Shown} shown */
  preview(shown) {
    this.query = shown;
    const place = this.asked.querySelector(".query.skeleton");
    if (place && shown.url) place.replaceWith(this.picture());
  }

  async search() {
    const wrong = wrongIn(this.state, this.known);
    if (wrong) {
      this.none();
      throw new Failure(wrong);
    }
    await this.ask();
    if (!this.state.signal.aborted) await this.tellAsked(this.state.number("id"));
  }

  // Request hits, and show them.
  async ask() {
    const { state, sent } = this;
    const visit = ++this.visit;
    const id = state.number("id");
    const asked = { ...this.filters.values(state), id, code: id === null ? state.get("code") : null };
    this.found.setAttribute("aria-busy", "true");
    try {
      const answer = await search(asked, { file: sent, signal: state.signal });
      if (!state.signal.aborted && visit === this.visit) this.take(answer);
    } catch (error) {
      if (!isAbort(error)) this.none();
      throw error instanceof Failure && error.status === 404 && id !== null ? new Failure(t("search.gone", { id: String(id) }), 404) : error;
    } finally {
      if (visit === this.visit) this.found.removeAttribute("aria-busy");
    }
  }

  none() {
    this.hits = [];
    this.answer = null;
    for (const { node, grid } of this.blocks) {
      node.hidden = true;
      grid.reset(0);
    }
    this.asked.replaceChildren();
    this.sentence.textContent = "";
    this.told.textContent = "";
    this.empty.textContent = "";
    this.unfold.hidden = true;
  }

  /** @param {api.Answer} answer */
  take(answer) {
    this.answer = answer;
    this.bar.hidden = false;
    this.strictness.show(this.others, this.known, this.stop);
    this.tell();
    this.fill();
    say(this.sentence.textContent);
  }

  // All hits but the image that is searched for.
  get others() {
    const id = this.state.number("id");
    return (this.answer?.hits || []).filter((hit) => hit.id !== id);
  }

  // Show the hits of each block, as far as the strictness allows.
  fill() {
    const { others, known, stop } = this;
    this.hits = [];
    for (const { name, has, height, below, grid, title, node } of this.blocks) {
      const own = others.filter((hit) => stopOf(hit, known) <= stop && has(stopOf(hit, known)));
      const hits = name === "copies" ? own : folded(own);
      title.replaceChildren(make("span", { text: t(this.canVerify || name !== "similar" ? `block.${name}` : "block.codes") }), " ", make("span", { class: "soft", text: t("block.count", { count: own.length }) }));
      node.hidden = !own.length;
      this.hits.push(...hits);
      const narrow = this.found.clientWidth < 640;
      grid.reset(hits.length, hits, new Rows(hits.map(shape), { height: narrow ? Math.round(height * 0.75) : height, below }));
    }
    const more = others.filter((hit) => stopOf(hit, known) <= 3).length - others.filter((hit) => stopOf(hit, known) <= stop).length;
    this.unfold.hidden = more <= 0;
    this.unfold.textContent = t("search.unfold", { count: more });
    const filtered = NAMES.some((name) => this.state.get(name));
    this.empty.textContent = this.answer?.hits.length || !filtered ? "" : t("search.noneFiltered");
  }

  showSimilar() {
    this.state.set({ show: "similar" });
    this.strictness.show(this.others, this.known, this.stop);
    this.fill();
    this.blocks[2].grid.focus(0);
  }

  /** @param {Hit} hit @param {Block} block */
  tile(hit, { name }) {
    const copies = name === "copies";
    const lines = copies ? [
      make("span", { class: "done", text: doneTo(hit) || t("relation.unchanged"), title: doneTo(hit) }), make("span", { class: "where soft small", text: folderOf(hit), title: hit.path }),
    ] : [];
    return tile(hit, {
      badge: copies ? relationName(hit.relation) : undefined, accent: true, mark: hit.also ? t("tile.also", { count: hit.also }) : undefined,
      lines, pixels: copies ? 320 : 220, says: said(hit), open: () => this.compare(this.hits.indexOf(hit)),
    });
  }

  tell() {
    const { images, unverified, seconds: took } = this.answer || { images: 0, unverified: 0, seconds: 0 };
    this.sentence.textContent = this.verdict();
    this.sentence.classList.toggle("no", this.canVerify && !this.others.some(isCopy));
    const notes = [
      t("search.took", { count: images, time: seconds(took) }), this.canVerify ? null : t("search.needsFile"),
      unverified ? t("search.unverified", { count: unverified }) : null,
    ];
    this.told.textContent = present(notes).join(" · ");
  }

  // The answer in one sentence.
  verdict() {
    const { others } = this;
    const many = (/** @type {string} */ relation) => others.filter((hit) => hit.relation === relation).length;
    if (!this.canVerify) return t("search.similarOnly", { count: many("similar") });
    const own = this.state.number("id") !== null;
    const parts = /** @type {const} */ (["exact", "same-pixels", "edited"]).filter(many).map((one) => t(`copies.${one}`, { count: many(one) }));
    if (parts.length) return t(own ? "search.hasCopies" : "search.here", { copies: listText(parts) });
    const scenes = many("same-scene");
    const not = t(own ? "search.noCopies" : "search.notHere");
    return scenes ? `${not} ${t("search.scenes", { count: scenes })}` : not;
  }

  /** @param {(at: number) => unknown} run gets the hit whose tile has the focus */
  withFocus(run) {
    const id = Number(focused()?.closest("li")?.dataset.id);
    const at = this.hits.findIndex((hit) => hit.id === id);
    if (at < 0) return false;
    run(at);
    return true;
  }

  /** @param {number} at */
  compare(at) {
    if (this.query.url) compare(this.query, this.hits, at);
    else showImage(this.hits, at);
  }

  /**
   * Show what is searched for, large.
   * @param {number | null} id
   */
  async tellAsked(id) {
    const { state } = this;
    const code = this.answer?.query.code || "";
    /** @type {api.Details | null} */
    const image = id === null ? null : await details(id, state.signal);
    if (state.signal.aborted) return;
    this.query = image ? { ...image, url: thumbnail(image, 1024) } : { name: t("search.fromLink"), ...recall(code) };
    const facts = [sizeOf(this.query), this.query.format, this.query.size ? bytes(this.query.size) : null].filter(Boolean);
    this.asked.replaceChildren(
      this.picture(), make("p", { class: "query-name", text: this.query.name, title: this.query.path }),
      make("p", { class: "small soft", text: facts.join(" · ") }), make("div", { class: "buttons" }, ...this.buttons(image)),
    );
    if (focused() === document.body) this.sentence.focus({ preventScroll: true });
  }

  /** @param {api.Image | null} image */
  buttons(image) {
    const link = button(t("search.link"), { sign: "link", on: { click: () => copy(location.href, within(link, "span")) } });
    return [
      this.batch.rows.length ? make("a", { class: "button", href: href("search", { several: 1 }) }, icon("left"), make("span", { text: t("search.back") })) : null,
      button(t("search.other"), { sign: "upload", on: { click: () => this.start.file.click() } }), link,
      image ? make("a", { class: "button", href: original(image), target: "_blank", rel: "noopener" }, icon("open"), make("span", { text: t("compare.original") })) : null,
      make("a", { class: "button", href: href("search") }, icon("close"), make("span", { text: t("search.clear") })),
    ];
  }

  picture() {
    const { url, name } = this.query;
    const none = () => make("span", { class: "query none" }, icon("search"));
    if (!url) return none();
    const image = make("img", { class: "query", src: url, alt: t("search.yoursNamed", { name }) });
    image.addEventListener("error", () => {
      this.query.url = null;
      image.replaceWith(none());
    });
    return image;
  }
}

/** @param {string} text @param {HTMLElement} from */
async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
    from.textContent = t("search.copied");
  } catch {
    from.textContent = t("search.copyYourself");
  }
  say(from.textContent);
  setTimeout(() => { from.textContent = t("search.link"); }, 2500);
}
