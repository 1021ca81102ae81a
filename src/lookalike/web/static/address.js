// The address of the page says which tab is shown, and its state: a link can be shared, reloaded and gone back to.

/** @type {Record<Tab, string>} */
export const PATHS = {
  search: "/", cleanup: "/clean-up", scenes: "/same-scene", browse: "/browse", map: "/map", care: "/care", settings: "/settings",
};
export const TABS = /** @type {Tab[]} */ (Object.keys(PATHS));

/**
 * The tab of an address, or undefined.
 * @param {{ pathname: string }} url
 */
export function tabOf(url) {
  return TABS.find((name) => PATHS[name] === url.pathname);
}

/**
 * A path with values as its query; those that are null, undefined or empty are left out.
 * @param {string} path
 * @param {Values} values
 */
export function withValues(path, values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  return query.size ? `${path}?${query}` : path;
}

/**
 * The link to a tab in a state: href("search", {id: 7}) → "/?id=7". An <a> with it needs no listener.
 * @param {Tab} tab
 * @param {Values} values
 */
export function href(tab, values = {}) {
  return withValues(PATHS[tab], values);
}

/**
 * Go to a tab in a state, as if a link were followed.
 * @param {Tab} tab
 * @param {Values} values
 */
export function go(tab, values = {}) {
  history.pushState(null, "", href(tab, values));
  dispatchEvent(new PopStateEvent("popstate"));
}

// What `show` receives: the values of the address, and what belongs to this visit of the tab.
export class State {
  /**
   * @param {Tab} tab
   * @param {string} values
   * @param {AbortSignal} signal aborted when another state or tab is shown: pass it to `ask`, and to addEventListener
   */
  constructor(tab, values, signal) {
    this.tab = tab;
    this.signal = signal;
    this.values = new URLSearchParams(values);
  }

  /**
   * The value of a name as text, or null.
   * @param {string} name
   */
  get(name) {
    return this.values.get(name) || null;
  }

  /**
   * The same as a whole number; anything else counts as not given.
   * @param {string} name
   */
  number(name) {
    const found = this.values.get(name);
    return found !== null && /^\d{1,15}$/.test(found) ? Number(found) : null;
  }

  /**
   * All values, as an object.
   * @returns {Record<string, string | undefined>}
   */
  all() {
    return Object.fromEntries(this.values);
  }

  /**
   * Write values to the address, null removes one; `show` is not called. `push`: the back button leads to before.
   * @param {Values} changes
   */
  set(changes, { push = false } = {}) {
    if (this.signal.aborted) return;
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined || value === "") this.values.delete(name);
      else this.values.set(name, String(value));
    }
    history[push ? "pushState" : "replaceState"](history.state, "", href(this.tab, this.all()));
    dispatchEvent(new Event("addresschange"));
  }
}
