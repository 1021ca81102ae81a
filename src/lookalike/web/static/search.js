// Search: by a file, an image of the collection, or a code. The address holds the id or code, radius and filters; of a
// file it holds the code, so that the link finds the same elsewhere, though without the file's thumbnail.

import { go, href } from "./address.js";
import { ask, Failure, info, isAbort } from "./api.js";
import { keys } from "./dialogs.js";
import { button, bytes, count, icon, later, make, milliseconds, number, say } from "./dom.js";
import { Filters } from "./filters.js";
import { Radius } from "./radius.js";
import { recall, remember } from "./sent.js";
import { action, justify, nameLine, rove, shape, thumbnail, tier, tile, turnLine } from "./tiles.js";
import { compare, showImage } from "./viewer.js";

const FIRST = 100; // hits that are asked for
const MOST = 1000; // and if the radius holds them all
const SOME = 150; // tiles that are made at once
const TRIED = 14; // images to try
const KEPT = 20; // answers
const answers = new Map(); // by what was asked
let page = null;
let problem = "";

export async function show(container, state) {
  page ||= new Page(container, await info());
  page.state = state;
  keys("Search", {
    c: ["compare with the image searched for (the tile in focus)", () => page.withFocus((hit, at) => page.compare(at))],
    i: ["show the image large (the tile in focus)", () => page.withFocus((hit, at) => showImage(page.hits, at))],
    o: ["choose a file", () => page.file.click()],
    n: ["begin anew", () => go("search")],
  }, state.signal);
  addEventListener("resize", later(() => page.place(), 60), { signal: state.signal });
  await page.show(state);
}

// Search for a file, from whichever tab.
export async function searchFile(file) {
  const turn = (searchFile.turn = (searchFile.turn || 0) + 1); // of two files only the later one is shown
  if (!page || location.pathname !== "/") go("search");
  page?.busy(`Searching for ${file.name} …`);
  try {
    const { max_body: most } = await info();
    if (file.size > most) throw new Failure(`it has ${bytes(file.size)}; this server reads up to ${bytes(most)}`);
    const answer = await ask("/api/search", { form: formOf({ top: FIRST }, file) });
    if (turn !== searchFile.turn) return;
    keep(keyOf({ code: answer.query.code, top: FIRST }), answer);
    remember(file, answer.query);
    problem = "";
    go("search", { code: answer.query.code });
  } catch (error) {
    if (turn !== searchFile.turn) return;
    problem = `${file.name || "What was pasted"} cannot be searched for: ${lower(error.message)}`;
    go("search");
  }
}

const lower = (text) => text.charAt(0).toLowerCase() + text.slice(1);
const given = (asked) => Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null));
const keyOf = (asked) => JSON.stringify(Object.entries(given(asked)).sort());

function formOf(asked, file) {
  const form = new FormData();
  form.append("file", file, file.name || "pasted.png");
  for (const [name, value] of Object.entries(given(asked))) form.append(name, value);
  return form;
}

function keep(key, answer) {
  answers.delete(key);
  answers.set(key, answer);
  if (answers.size > KEPT) answers.delete(answers.keys().next().value);
}

class Page {
  constructor(container, known) {
    this.known = known;
    this.hits = [];
    this.items = [];
    this.shown = 0;
    this.start = new Start((file) => searchFile(file));
    this.file = this.start.file;
    this.asked = make("section", { class: "asked", "aria-label": "What is searched for" });
    this.radius = new Radius(known, (radius) => this.cut(radius));
    this.filters = new Filters(["label", "below", "since"], (changes) => {
      this.state.set(changes, { push: true });
      this.search();
    });
    this.turned = make("input", { type: "checkbox", id: "turned", on: { change: () => this.turn() } });
    this.turns = make("span", { class: "field" }, this.turned, make("label", { for: "turned", text: "Mirrored and turned, too" }));
    this.told = make("p", { class: "told", role: "status" });
    this.more = button("Show more", { class: "more", on: { click: () => this.ask(MOST) } });
    this.list = make("ol", { class: "tiles hits", "aria-label": "Hits" });
    this.bar = make("div", { class: "bar stuck" }, this.radius.node, this.filters.node, this.turns, this.told);
    this.edge = make("p");
    this.near = button("Only what looks alike", { on: { click: () => this.keepNear() } });
    this.near.hidden = known.similar < 0;
    this.line = make("li", { class: "edge" }, this.edge, this.near);
    this.found = make("div", { class: "found" }, this.asked, this.bar, this.list, this.more);
    this.address = later(() => this.state.set({ radius: this.radius.value }), 200);
    this.all = later(() => this.fill(), 150);
    container.append(this.start.node, this.found);
  }

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
    return this.state.get("id") ? null : recall(this.state.get("code")).file;
  }

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

  // Ask for so many hits, and show them.
  async ask(top, { radius = null } = {}) {
    const { state, sent } = this;
    const visit = this.visit = (this.visit || 0) + 1;
    const canTurn = Boolean(state.get("id") || sent); // a code alone cannot be turned
    this.turned.disabled = !canTurn;
    this.turned.checked = canTurn && state.get("turned") === "1";
    this.turns.title = canTurn ? "" : "For this the image itself is needed: choose it again";
    const asked = {
      id: state.number("id"), code: state.get("id") ? null : state.get("code"), top, radius,
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
        throw error.status === 404 && asked.id !== null && !asked.turned ? new Failure(gone(asked.id), 404) : error;
      } finally {
        this.list.removeAttribute("aria-busy");
      }
    }
    if (state.signal.aborted || visit !== this.visit) return;
    this.take(answers.get(key), top);
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

  tile(hit, at) {
    return tile(hit, {
      lines: [tier(hit), turnLine(hit), nameLine(hit)].filter(Boolean),
      actions: [
        action("Compare", "compare", () => this.compare(at)), action("Show large", "info", () => showImage(this.hits, at)),
      ],
    });
  }

  // Show the hits within a radius.
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

  // What stands between the hits that look alike and the others.
  beyond() {
    const { similar } = this.known;
    const others = this.hits.slice(0, this.alike).filter((hit) => hit.id !== this.state.number("id"));
    const apart = similar < 0 ? "Further apart" : `More than ${count(similar, "bit")} apart`;
    if (others.length) return `${apart}: most likely different images`;
    const none = similar < 0 ? "Nothing else looks alike" : `Nothing else is within ${count(similar, "bit")}`;
    return `${none}. These are the nearest, and most likely different images`;
  }

  keepNear() {
    this.radius.value = this.known.similar;
    this.cut(this.known.similar);
    this.list.querySelector(".tile:not([hidden]) a")?.focus();
  }

  fill() {
    if (!this.isAll && this.radius.value !== null && this.top < MOST) this.ask(MOST).catch(() => {});
  }

  tell(radius) {
    const { images, seconds } = this.answer || { images: 0, seconds: 0 };
    const all = this.isAll ? "" : radius === null ? "nearest " : "at least ";
    const words = radius === null ? `${all}${number(this.shown)}` : `${all}${number(this.shown)} within ${count(radius, "bit")}`;
    const alike = this.alike < this.shown ? `; ${this.alike ? number(this.alike) : "none"} of them ${this.alike === 1 ? "looks" : "look"} alike` : "";
    this.told.replaceChildren(make("b", { text: words }), ` of ${count(images, "image")}, in ${milliseconds(seconds)}${alike}`);
    this.more.hidden = this.isAll || radius !== null || this.top >= MOST;
    this.list.dataset.empty = this.shown ? "" : radius === null ? "Nothing passes these filters." : "Nothing is so near.";
  }

  place() {
    if (this.found.hidden) return;
    const width = this.list.clientWidth;
    const height = width < 500 ? 130 : 165;
    justify(this.items.slice(0, Math.min(this.alike, this.shown)), width, { height });
    justify(this.items.slice(this.alike, this.shown), width, { height });
  }

  withFocus(run) {
    const item = document.activeElement.closest(".hits .tile");
    const at = this.items.findIndex(({ node }) => node === item);
    if (at < 0) return false;
    run(this.hits[at], at);
    return true;
  }

  compare(at) {
    if (this.query?.url) compare(this.query, this.hits.slice(0, this.shown), at);
    else say("The image that was searched for is not at hand, so nothing can be compared with it.");
  }

  // What is searched for, with its thumbnail.
  async tellAsked(id) {
    const { state } = this;
    const { code } = this.answer.query;
    const image = id === null ? null : await ask(`/api/images/${id}`, { signal: state.signal });
    if (state.signal.aborted) return;
    this.query = image ? { ...image, url: thumbnail(image, 640) } : { name: "An image by its code", code, ...recall(code) };
    this.list.classList.toggle("no-compare", !this.query.url);
    const link = button("Copy link", { sign: "link", on: { click: () => copy(location.href, link) } });
    const other = button("Other image", { sign: "upload", on: { click: () => this.file.click() } });
    const buttons = [
      image ? make("a", { class: "button", href: `/api/images/${id}/original`, target: "_blank", rel: "noopener" },
        icon("open"), make("span", { text: "Original" })) : null,
      link, other, make("a", { class: "button", href: href("search") }, icon("close"), make("span", { text: "Clear" })),
    ];
    const facts = [size(this.query), this.query.format, this.query.size ? bytes(this.query.size) : null].filter(Boolean);
    this.asked.replaceChildren(
      this.picture(), make(
        "div", { class: "words" }, make("h2", { text: this.query.name, title: this.query.path, tabindex: "-1" }),
        make("p", { class: "small soft", text: facts.join(" · ") }),
        make("p", { class: "small" }, make("code", { text: code, title: `The code, ${4 * code.length} bits` })),
      ), make("div", { class: "buttons" }, ...buttons),
    );
    if (document.activeElement === document.body) this.asked.querySelector("h2").focus({ preventScroll: true });
  }

  picture() {
    const { url, name } = this.query;
    if (!url) return make("span", { class: "thumb" }, icon("code"));
    const image = make("img", { class: "thumb", src: url, alt: `Searched for: ${name}` });
    image.addEventListener("error", () => {
      this.query.url = null;
      this.list.classList.add("no-compare");
      image.replaceWith(make("span", { class: "thumb" }, icon("code")));
    });
    return image;
  }
}

// Why what the address asks for cannot be searched for, or "".
function wrongIn(state, { bits }) {
  const [id, code, since] = ["id", "code", "since"].map((name) => state.get(name));
  const digits = bits / 4;
  if (id && !state.number("id")) return `${quoted(id)} is not the number of an image. A link to what looks like an image ends with ?id= and a number, such as 7.`;
  if (!id && !/^[0-9a-f]+$/i.test(code)) return `${quoted(code)} is not a code. A code of this collection has ${digits} digits, each 0 to 9 or a to f.`;
  if (!id && code.length !== digits) {
    return `The code ${quoted(code)} has ${count(code.length, "digit")}; those of this collection have ${digits}. Is it of another collection, or cut off?`;
  }
  return since && Number.isNaN(Date.parse(since)) ? `${quoted(since)} is not a date. Write it like 2026-05-01.` : "";
}

const gone = (id) => `There is no image ${id} in this collection. It may have been removed since this link was made.`;
const quoted = (text) => `“${text.length > 40 ? `${text.slice(0, 40)}…` : text}”`;
const size = (image) => (image.width ? `${image.width} × ${image.height}` : null);

async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
    from.lastChild.textContent = "Copied";
  } catch {
    from.lastChild.textContent = "Copy it from the address bar";
  }
  say(from.lastChild.textContent);
  setTimeout(() => { from.lastChild.textContent = "Copy link"; }, 2500);
}

// What is there before anything is searched for.
class Start {
  constructor(take) {
    this.file = make("input", { type: "file", id: "file", accept: "image/*,.heic,.heif,.tif,.tiff,.avif", class: "unseen" });
    this.file.addEventListener("change", () => {
      if (this.file.files.length) take(this.file.files[0]);
      this.file.value = "";
    });
    const drop = make(
      "label", { class: "drop", for: "file" }, icon("upload"), make("strong", { text: "Choose an image, or drop it here" }),
      make("span", { text: "or paste one with Ctrl+V. It is sent to this server only, and not stored." }),
    );
    this.problem = make("p", { class: "problem", role: "alert" });
    this.busy = make("p", { class: "told", role: "status" });
    this.images = make("ul", { class: "tiles tried", "aria-label": "Images to try" });
    const other = button("Others", { sign: "shuffle", class: "plain", on: { click: () => this.draw() } });
    this.node = make(
      "div", { class: "start" }, this.problem, this.file, drop, this.busy, this.code(),
      make("div", { class: "bar" }, make("h2", { text: "Or try one of these" }), other), this.images,
    );
  }

  code() {
    const field = make("input", { id: "code", name: "code", required: true, pattern: "[0-9a-fA-F]+", spellcheck: "false",
      autocomplete: "off", autocapitalize: "off", title: "Hexadecimal digits: 0 to 9 and a to f" });
    info().then(({ bits }) => {
      field.placeholder = "0".repeat(Math.min(16, bits / 4));
      field.pattern = `\\s*[0-9a-fA-F]{${bits / 4}}\\s*`;
      field.title = `${bits / 4} hexadecimal digits: 0 to 9 and a to f`;
    }).catch(() => {});
    const form = make(
      "form", { class: "field code" }, make("label", { for: "code", text: "or by its code" }), field,
      make("button", { text: "Search" }),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      go("search", { code: field.value.trim().toLowerCase() });
    });
    return form;
  }

  tell(wrong, busy = "") {
    this.problem.textContent = wrong;
    this.busy.textContent = busy;
  }

  async show(signal) {
    if (!this.items) await this.draw(signal);
    else this.place();
    addEventListener("resize", later(() => this.place(), 60), { signal });
  }

  async draw(signal) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const { images } = await ask("/api/images", { values: { sort: "random", seed, top: TRIED }, signal });
    this.items = images.map((image) => ({ node: tile(image), shape: shape(image) }));
    this.images.replaceChildren(...this.items.map((item) => item.node));
    this.images.dataset.empty = images.length ? "" : "The collection is empty. Fill it with: lookalike index IMAGES --db DB";
    this.place();
    rove(this.images);
  }

  place() {
    const width = this.images.clientWidth;
    if (width) justify(this.items, width, { height: width < 500 ? 90 : 130 });
  }
}
