// The frame: pages, the address, light and dark, keys, files that are dropped or pasted anywhere, and a server that is lost.
//
// A page is a module of its name, `/static/search.js` and so on, that exports
//
//   export async function show(container, state)
//
// It is called whenever the address comes to this page, or changes while it is shown (a link, or the back button).
//   container  an element of this page alone. Empty at first; what is put there stays for the next time. While the
//              page is not shown the container is hidden. It is as wide as the window; the heading (h1) is there
//              already, so a page begins at h2.
//   state      see address.js: state.get(name), state.number(name), state.set({name: value}, {push}), state.signal.
//              Pass state.signal to ask(), keys() and addEventListener(): it aborts when something else is shown.
// An error that `show` throws, or that nobody catches, is shown in the page's place for problems.
//
// For pages: text.js (t: all words are in strings.en.js), dom.js (make, button, icon, say …), api.js (ask, wait, info,
// Failure), address.js (href, go), dialogs.js (openDialog, keys), tiles.js (tile, relation), viewer.js (one image
// large), compare.js (two images), grid.js (thousands of tiles). CSS: style.css has the tokens, --t1 to --t5 for type.
// Links to pages are plain <a href="…">; no listener is needed. Text never becomes markup, and no element has a style attribute.
// Events of the window: `collectionchange` after the collection was changed from the page (the header counts again), or
// when its count was seen to change (detail: {before, images}); `themechange`.

import { go, href, State, TABS, tabOf } from "./address.js";
import { Failure, info, isAbort } from "./api.js";
import { keys, showKeys } from "./dialogs.js";
import { byId, button, icon, later, make, messageOf, say, targetOf } from "./dom.js";
import { t } from "./text.js";

/** @typedef {{ show: (container: HTMLElement, state: State) => Promise<unknown> }} Page */
/** @typedef {{ outer: HTMLElement, inner: HTMLElement, problem: HTMLElement, heading: HTMLElement }} Container */

/** @type {Record<Tab, string>} */
const TITLES = {
  search: t("page.search"), cleanup: t("page.cleanup"), scenes: t("page.scenes"), browse: t("page.browse"), map: t("page.map"),
  care: t("page.care"), settings: t("page.settings"),
};
const FIRST = TABS.slice(0, 4); // on a narrow screen the others are behind “More”
const COUNTED = 30_000; // milliseconds between two counts of the collection
const ASKED = 2_000; // milliseconds between two questions whether a lost server is back
const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
const main = byId("main");
/** @type {Partial<Record<Tab, Container>>} */
const containers = {};
/** @type {Record<string, Page>} */
const parts = {}; // that have come
/** @type {{ tab: Tab, stop: AbortController } | null} */
let current = null;
/** @type {Map<string, number>} */
const places = new Map(); // how far each address was scrolled

/** @param {Tab} tab */
function container(tab) {
  const known = containers[tab];
  if (known) return known;
  const problem = make("div", { class: "problem", role: "alert" });
  const inner = make("div", { class: "inner" });
  const heading = make("h1", { class: "unseen", tabindex: "-1", text: TITLES[tab] });
  const outer = make("section", { class: `tab ${tab}`, id: `tab-${tab}` }, heading, problem, inner);
  main.append(outer);
  const made = { outer, inner, problem, heading };
  containers[tab] = made;
  return made;
}

async function route() {
  const tab = tabOf(location) || "search";
  const changed = current !== null && current.tab !== tab;
  const place = places.get(location.href) || 0;
  current?.stop.abort();
  const stop = new AbortController();
  current = { tab, stop };
  const shown = container(tab);
  closeMore();
  for (const [name, one] of Object.entries(containers)) one.outer.hidden = name !== tab;
  for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#tabs a"))) {
    if (link.dataset.tab === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  byId("tabs").classList.toggle("has-current", !FIRST.includes(tab));
  document.title = `${TITLES[tab]} – lookalike`;
  document.body.dataset.tab = tab;
  if (changed) shown.heading.focus({ preventScroll: true });
  await run(tab, shown, new State(tab, location.search, stop.signal));
  if (!stop.signal.aborted) scrollTo(0, place);
}

/** @param {Tab} tab @param {Container} shown @param {State} state */
async function run(tab, shown, state) {
  shown.problem.textContent = "";
  try {
    // What is there already is shown at once: between the old keys and the new ones, none is lost.
    const module = parts[tab] || await part(tab);
    if (!state.signal.aborted) await module.show(shown.inner, state);
  } catch (error) {
    if (!state.signal.aborted) tell(error);
  }
}

/** @param {Tab} tab @returns {Promise<Page>} */
async function part(tab) {
  try {
    parts[tab] = await import(`./${tab}.js`);
    return parts[tab];
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new Failure(t("shell.partLost"));
  }
}

/**
 * Show what went wrong, unless somebody only went elsewhere.
 * @param {unknown} error
 */
function tell(error) {
  if (!isAbort(error) && current) container(current.tab).problem.textContent = messageOf(error);
}

/** @param {MouseEvent} event */
function follow(event) {
  const link = /** @type {HTMLAnchorElement | null} */ (targetOf(event).closest("a[href]"));
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const url = new URL(link.href);
  if (link.target || link.hasAttribute("download") || url.origin !== location.origin || !tabOf(url)) return;
  event.preventDefault();
  if (tabOf(url) === current?.tab) places.delete(url.href); // a new search begins at the top
  history.pushState(null, "", url);
  route();
}

function header() {
  const link = (/** @type {Tab} */ tab) => make("a", { href: href(tab), data: { tab } }, icon(tab), make("span", { text: TITLES[tab] }));
  const nav = byId("tabs");
  const more = button(t("shell.more"), { sign: "more", "aria-expanded": "false", "aria-controls": "others" });
  more.addEventListener("click", () => more.setAttribute("aria-expanded", String(nav.classList.toggle("open"))));
  nav.setAttribute("aria-label", t("shell.pages"));
  nav.append(...FIRST.map(link), more, make("div", { class: "others", id: "others" }, ...TABS.slice(FIRST.length).map(link)));
  byId("tools").append(
    make("a", { class: "plain", href: "/docs", text: t("shell.api"), title: t("shell.apiTitle") }),
    button(t("shell.keys"), { sign: "keys", quiet: true, class: "plain", on: { click: showKeys } }),
    themeButton(),
  );
  const skip = make("a", { class: "skip", href: "#main", text: t("shell.skip") });
  skip.addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  document.body.prepend(skip);
  document.body.dataset.drop = t("shell.drop");
}

// Fold away the pages that have no room on a narrow screen.
function closeMore() {
  byId("tabs").classList.remove("open");
  document.querySelector("#tabs button")?.setAttribute("aria-expanded", "false");
}

function themeButton() {
  const one = make("button", { type: "button", class: "plain", id: "theme" });
  const told = () => {
    const now = THEMES.find((theme) => theme === document.documentElement.dataset.theme) || "auto";
    one.replaceChildren(icon(now));
    one.title = t(`theme.${now}`);
    one.setAttribute("aria-label", one.title);
    return now;
  };
  one.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(told()) + 1) % THEMES.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    localStorage.setItem("theme", next);
    told();
    say(one.title);
    dispatchEvent(new Event("themechange"));
  });
  told();
  return one;
}

// Files that are dropped or pasted, on whichever page, are searched for; an address is not fetched.
function files() {
  const take = async (/** @type {DataTransfer | null} */ data, /** @type {Event} */ event) => {
    const given = [...(data?.files || [])];
    const address = /^https?:\/\/\S+$/.test((data?.getData("text/uri-list") || data?.getData("text/plain") || "").trim());
    if (!given.length && !address) return;
    event.preventDefault();
    const { searchFiles, tellProblem } = await import("./search.js");
    if (given.length) searchFiles(given);
    else tellProblem(t("search.noAddress"));
  };
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.some((type) => type === "Files" || type === "text/uri-list")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    take(event.dataTransfer, event);
  });
  addEventListener("paste", (event) => {
    if (!targetOf(event).closest?.("input, textarea")) take(event.clipboardData, event);
  });
}

let counted = -1; // images of the collection, when it was last asked

// Count the collection again, and tell whoever wants to know if it has changed.
async function collection() {
  const { images } = await info({ fresh: counted >= 0 });
  byId("collection").textContent = t("shell.images", { count: images });
  const before = counted;
  counted = images;
  if (before >= 0 && before !== images) dispatchEvent(new CustomEvent("collectionchange", { detail: { before, images } }));
}

let lost = false;

// Say that the server is lost until it answers again; then show what is shown anew.
async function wait() {
  if (lost) return;
  lost = true;
  const banner = byId("lost");
  const asking = { now: () => {} };
  banner.replaceChildren(make("span", { text: t("shell.lost") }), button(t("shell.retry"), { on: { click: () => asking.now() } }));
  banner.hidden = false;
  while (!(await fetch("/status/live").then((answer) => answer.ok, () => false))) {
    await new Promise((done) => { asking.now = () => done(null); setTimeout(done, ASKED); });
  }
  lost = false;
  banner.hidden = true;
  say(t("shell.back"));
  collection().catch(() => {});
  places.set(location.href, scrollY); // nothing moves under whoever works on
  route();
}

header();
files();
keys(t("shell.allPages"), {
  ...Object.fromEntries(TABS.map((tab, at) => [String(at + 1), [TITLES[tab], () => go(tab)]])),
  "?": [t("shell.thisHelp"), showKeys],
});
document.addEventListener("click", follow);
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  tell(event.reason);
});
addEventListener("addresschange", () => { if (current) container(current.tab).problem.textContent = ""; });
addEventListener("popstate", route);
addEventListener("scroll", later(() => places.set(location.href, scrollY), 100), { passive: true });
addEventListener("serverlost", wait);
addEventListener("collectionchange", (event) => { if (!(event instanceof CustomEvent) || !event.detail) collection().catch(() => {}); });
document.addEventListener("click", (event) => { if (!targetOf(event).closest("#tabs")) closeMore(); });
setInterval(() => { if (!document.hidden && !lost) collection().catch(() => {}); }, COUNTED);
history.scrollRestoration = "manual";
route();
collection().catch(() => {});
addEventListener("load", () => { for (const tab of TABS) part(tab).catch(() => {}); });
