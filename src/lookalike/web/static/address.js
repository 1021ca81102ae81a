// The address of the page says which tab is shown, and its state: a link can be shared, reloaded and gone back to.

export const TABS = { search: "/", browse: "/browse", duplicates: "/duplicates", map: "/map", model: "/model" };

// The tab of an address, or undefined.
export function tabOf(url) {
  return Object.keys(TABS).find((name) => TABS[name] === url.pathname);
}

// The link to a tab in a state: href("search", {id: 7}) → "/?id=7". An <a> with it needs no listener.
export function href(tab, values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  return query.size ? `${TABS[tab]}?${query}` : TABS[tab];
}

// Go to a tab in a state, as if a link were followed.
export function go(tab, values = {}) {
  history.pushState(null, "", href(tab, values));
  dispatchEvent(new PopStateEvent("popstate"));
}

// What `show` is given: the values of the address, and what belongs to this visit of the tab.
export class State {
  constructor(tab, values, signal) {
    this.tab = tab;
    this.signal = signal; // aborted when another state or tab is shown: pass it to `ask`, and to addEventListener
    this.values = new URLSearchParams(values);
  }

  // The value of a name as text, or `otherwise`.
  get(name, otherwise = null) {
    return this.values.get(name) || otherwise;
  }

  // The same as a whole number; what is none counts as not given.
  number(name, otherwise = null) {
    const found = this.values.get(name);
    return found !== null && /^\d{1,15}$/.test(found) ? Number(found) : otherwise;
  }

  // All values, as an object.
  all() {
    return Object.fromEntries(this.values);
  }

  // Write values to the address, null removes one; `show` is not called. `push`: the way back leads to before.
  set(changes, { push = false } = {}) {
    if (this.signal.aborted) return;
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined || value === "") this.values.delete(name);
      else this.values.set(name, value);
    }
    history[push ? "pushState" : "replaceState"](history.state, "", href(this.tab, this.all()));
    dispatchEvent(new Event("addresschange"));
  }
}
