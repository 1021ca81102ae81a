// The shell: tabs, the address, light and dark, keys, and files that are dropped or pasted anywhere.
//
// A tab is a module of its name, `/static/search.js` and so on, that exports
//
//   export async function show(container, state)
//
// It is called whenever the address comes to this tab, or changes while the tab is shown (a link, or the back button).
//   container  an element of this tab alone. Empty at first; what is put there stays for the next time. While the
//              tab is not shown the container is hidden. It is as wide as the page; the heading (h1) is there
//              already, so a tab begins at h2.
//   state      see address.js: state.get(name), state.number(name), state.set({name: value}, {push}), state.signal.
//              Pass state.signal to ask(), keys() and addEventListener(): it aborts when something else is shown.
// An error that `show` throws, or that nobody catches, is shown in the tab's place for problems.
//
// For tabs: dom.js (make, button, icon, say, count …), api.js (ask, wait, info, Failure), address.js (href, go),
// dialogs.js (openDialog, keys), tiles.js (tile, justify, relation), viewer.js (one image large), compare.js (two images),
// grid.js (thousands of tiles).
// Links to tabs are plain <a href="…">; no listener is needed. Text never becomes markup, and no element has a style attribute.

import { go, href, State, TABS, tabOf } from "./address.js";
import { Failure, info, isAbort } from "./api.js";
import { keys, showKeys } from "./dialogs.js";
import { byId, button, count, icon, later, make, messageOf, say, targetOf } from "./dom.js";

/** @typedef {{ outer: HTMLElement, inner: HTMLElement, problem: HTMLElement, heading: HTMLElement }} Container */

/** @type {Record<Tab, string>} */
const TITLES = { search: "Search", browse: "Browse", duplicates: "Duplicates", map: "Map", model: "Model" };
const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
const main = byId("main");
/** @type {Partial<Record<Tab, Container>>} */
const containers = {};
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
  for (const [name, one] of Object.entries(containers)) one.outer.hidden = name !== tab;
  for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#tabs a"))) {
    if (link.dataset.tab === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
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
    const module = await part(tab);
    if (!state.signal.aborted) await module.show(shown.inner, state);
  } catch (error) {
    if (!state.signal.aborted) tell(error);
  }
}

/** @param {Tab} tab */
async function part(tab) {
  try {
    return await import(`./${tab}.js`);
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new Failure("This part of the page could not be loaded. Is the server still running? Then reload the page.");
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
  const links = TABS.map((tab) => make("a", { href: href(tab), text: TITLES[tab], data: { tab } }));
  byId("tabs").append(...links);
  byId("tools").append(
    make("a", { class: "plain", href: "/docs", text: "API", title: "The HTTP API" }),
    button("Keyboard shortcuts", { sign: "keys", quiet: true, class: "plain", on: { click: showKeys } }),
    themeButton(),
  );
  const skip = make("a", { class: "skip", href: "#main", text: "Skip to content" });
  skip.addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  document.body.prepend(skip);
}

function themeButton() {
  const one = make("button", { type: "button", class: "plain", id: "theme" });
  const told = () => {
    const now = THEMES.find((theme) => theme === document.documentElement.dataset.theme) || "auto";
    one.replaceChildren(icon(now));
    one.title = `Theme: ${now === "auto" ? "same as the system" : now}`;
    one.setAttribute("aria-label", one.title);
    return now;
  };
  one.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(told()) + 1) % THEMES.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    localStorage.setItem("theme", next);
    say(`Theme ${told()}`);
    dispatchEvent(new Event("themechange"));
  });
  told();
  return one;
}

// A file that is dropped or pasted, on whichever tab, is searched for.
function files() {
  const take = async (/** @type {File} */ file, /** @type {Event} */ event) => {
    event.preventDefault();
    const { searchFile } = await import("./search.js");
    searchFile(file);
  };
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    const file = event.dataTransfer?.files[0];
    if (file) take(file, event);
  });
  addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file) take(file, event);
  });
}

async function collection() {
  const { images } = await info();
  byId("collection").textContent = count(images, "image");
}

header();
files();
keys("All pages", {
  ...Object.fromEntries(TABS.map((tab, at) => [String(at + 1), [TITLES[tab], () => go(tab)]])),
  "?": ["this help", showKeys],
});
document.addEventListener("click", follow);
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  tell(event.reason);
});
addEventListener("addresschange", () => { if (current) container(current.tab).problem.textContent = ""; });
addEventListener("popstate", route);
addEventListener("scroll", later(() => places.set(location.href, scrollY), 100), { passive: true });
history.scrollRestoration = "manual";
route();
collection().catch(() => {});
addEventListener("load", () => { for (const tab of TABS) part(tab).catch(() => {}); });
