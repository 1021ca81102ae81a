// Search: by a file, an image of the collection, or a code. The address holds the id or code, and filters; of a file it
// holds the code, so that the link finds what is similar elsewhere, too, though without the file no copies.

import { go, href } from "./address.js";
import { ask, Failure, info, isAbort } from "./api.js";
import { compare } from "./compare.js";
import { keys } from "./dialogs.js";
import { button, bytes, count, focused, icon, later, make, messageOf, number, present, say, seconds, within } from "./dom.js";
import { Filters } from "./filters.js";
import { formOf, given, gone, keyOf, wrongIn } from "./query.js";
import { recall, remember } from "./sent.js";
import { Start } from "./start.js";
import { action, focusedTile, isCopy, justify, nameLine, relation, rove, shape, sizeOf, thumbnail, tile } from "./tiles.js";
import { showImage } from "./viewer.js";

/** @typedef {import("./address.js").State} State */

const MOST = 100; // hits that are requested
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
    const answer = await ask("/api/search", { form: formOf({ top: MOST }, file) });
    if (turn !== files) return;
    keep(keyOf({ code: answer.query.code, top: MOST }), answer);
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

/** @typedef {{ name: string, title: string, has: (hit: api.Hit) => boolean }} Group */
/** @type {Group[]} */
const GROUPS = [ // as they are shown; what is different is not
  { name: "copies", title: "Copies", has: isCopy },
  { name: "scene", title: "Same scene, another shot", has: (hit) => hit.relation === "same-scene" },
  { name: "similar", title: "Similar, but not the same picture", has: (hit) => hit.relation === "similar" },
];

class Search {
  /** @param {HTMLElement} container @param {State} state @param {api.Info} known */
  constructor(container, state, known) {
    this.state = state;
    this.known = known;
    /** @type {api.Answer | null} */
    this.answer = null;
    /** @type {api.Hit[]} */
    this.hits = []; // that are shown or folded away, as they are grouped
    /** @type {Box[]} */
    this.items = [];
    this.folded = Infinity; // from which hit on they are hidden
    this.visit = 0; // counts questions
    /** @type {Shown} */
    this.query = { name: "" };
    this.start = new Start((file) => searchFile(file));
    this.file = this.start.file;
    this.asked = make("section", { class: "asked", "aria-label": "Your image" });
    this.filters = new Filters(["label", "below", "since"], (changes) => {
      this.state.set(changes, { push: true });
      this.search();
    });
    this.told = make("p", { class: "told", role: "status" });
    this.list = make("ol", { class: "tiles hits", "aria-label": "Results" });
    this.bar = make("div", { class: "bar stuck" }, this.filters.node, this.told);
    this.unfold = button("", { on: { click: () => this.showAll() } });
    this.found = make("div", { class: "found" }, this.asked, this.bar, this.list);
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
    this.filters.show(state.all());
    return this.search();
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
    await this.ask();
    const id = this.state.number("id");
    if (!this.state.signal.aborted) await this.tellAsked(id);
  }

  // Request hits, and show them.
  async ask() {
    const { state, sent } = this;
    const visit = ++this.visit;
    const asked = {
      id: state.number("id"), code: state.get("id") ? null : state.get("code"), top: MOST,
      label: state.get("label"), below: state.get("below"), since: state.get("since"),
    };
    const key = keyOf(asked);
    if (!answers.has(key)) {
      this.list.setAttribute("aria-busy", "true");
      try {
        const body = sent ? { form: formOf({ ...asked, code: null }, sent) } : { json: given(asked) };
        keep(key, await ask("/api/search", { ...body, signal: state.signal }));
      } catch (error) {
        if (!isAbort(error)) this.none();
        throw error instanceof Failure && error.status === 404 && asked.id !== null ? new Failure(gone(asked.id), 404) : error;
      } finally {
        this.list.removeAttribute("aria-busy");
      }
    }
    const answer = answers.get(key);
    if (answer && !state.signal.aborted && visit === this.visit) this.take(answer);
  }

  none() {
    this.hits = [];
    this.items = [];
    this.list.replaceChildren();
    this.asked.replaceChildren();
    this.told.textContent = "";
  }

  /** @param {api.Answer} answer */
  take(answer) {
    this.answer = answer;
    this.hits = GROUPS.flatMap((group) => answer.hits.filter(group.has));
    this.filters.suggest(this.hits);
    this.items = this.hits.map((hit, at) => ({ node: this.tile(hit, at), shape: shape(hit) }));
    this.list.replaceChildren(...GROUPS.flatMap((group) => this.section(group)));
    const similar = this.hits.findIndex((hit) => hit.relation === "similar");
    this.folded = similar < 0 || !this.canVerify ? Infinity : similar;
    this.unfold.textContent = `Show ${count(this.hits.length - this.folded, "similar image")}`;
    this.fold();
    this.tell();
    rove(this.list);
    say(this.told.textContent);
  }

  // Whether the server has seen the picture that is searched for, and not only its code.
  get canVerify() {
    return Boolean(this.state.get("id") || this.sent);
  }

  /**
   * The tiles of a group, below a line that names it.
   * @param {Group} group
   */
  section({ name, title, has }) {
    const tiles = this.items.filter((_, at) => has(this.hits[at])).map(({ node }) => node);
    const words = this.canVerify || name !== "similar" ? title : "Similar codes";
    const line = make("li", { class: `edge ${name}` }, make("p", { text: words }), name === "similar" ? this.unfold : null);
    return tiles.length ? [line, ...tiles] : [];
  }

  fold() {
    this.items.forEach(({ node }, at) => { node.hidden = at >= this.folded; });
    this.unfold.hidden = this.folded === Infinity;
    this.place();
  }

  showAll() {
    const first = this.items[this.folded];
    this.folded = Infinity;
    this.fold();
    within(first.node, "a").focus();
  }

  /** @param {api.Hit} hit @param {number} at */
  tile(hit, at) {
    return tile(hit, {
      lines: [...relation(hit), nameLine(hit)],
      actions: [
        action("Compare", "compare", () => this.compare(at)), action("Enlarge", "info", () => showImage(this.hits, at)),
      ],
    });
  }

  tell() {
    const { images, unverified, seconds: took } = this.answer || { images: 0, unverified: 0, seconds: 0 };
    const others = this.hits.filter((hit) => hit.id !== this.state.number("id"));
    const copies = others.filter(isCopy).length;
    const found = copies ? `${number(copies)} ${copies === 1 ? "copy" : "copies"} found` : "No copy of this picture here";
    const words = this.canVerify ? found : `${others.length ? number(others.length) : "No"} similar ${others.length === 1 ? "image" : "images"}`;
    const notes = [
      this.canVerify ? null : "Choose the image file to find its copies.",
      unverified ? `${count(unverified, "image")} could not be verified; index the collection again.` : null,
    ];
    this.told.replaceChildren(
      make("b", { text: words }), ` · ${count(images, "image")} searched in ${seconds(took)}`,
      ...present(notes).map((text) => make("span", { class: "note", text: ` · ${text}` })),
    );
    this.list.dataset.empty = this.hits.length ? "" : "No similar image either.";
    const filtered = ["label", "below", "since"].some((name) => this.state.get(name));
    if (filtered && !this.answer?.hits.length) this.list.dataset.empty = "No image matches these filters.";
  }

  place() {
    if (this.found.hidden) return;
    const width = this.list.clientWidth;
    const height = width < 500 ? 130 : 165;
    for (const { has } of GROUPS) {
      justify(this.items.filter(({ node }, at) => !node.hidden && has(this.hits[at])), width, { height });
    }
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
    if (this.query.url) compare(this.query, this.hits.slice(0, this.folded), at);
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
