// Care: add the images of a folder, see what is being done, what is new, and what could not be read.

import { href } from "./address.js";
import { ask, info } from "./api.js";
import { alertLine, button, make, messageOf } from "./dom.js";
import { follow, isEnded, JobLine } from "./jobs.js";
import { dateText, number, t } from "./text.js";
import { baseName, thumbnail } from "./tiles.js";

/** @typedef {import("./address.js").State} State */

const PAGE = 100; // problems per request
const KINDS = /** @type {const} */ (["unreadable", "missing", "out-of-reach", "plain"]);
/** @type {Care | null} */
let view = null;

/** @param {HTMLElement} container @param {State} state */
export async function show(container, state) {
  view ||= new Care(container, await info());
  await view.show(state);
}

class Care {
  /** @param {HTMLElement} container @param {api.Info} known */
  constructor(container, known) {
    this.known = known;
    this.news = make("p", { class: "news", role: "status" });
    this.jobs = make("div", { class: "jobs" });
    this.problems = make("section", { class: "panel" });
    /** @type {Set<number | string>} */
    this.watched = new Set();
    container.append(this.news, this.index(), this.jobs, this.problems);
  }

  // A form that indexes a folder.
  index() {
    const { write, roots_to_index: roots } = this.known;
    const panel = make("section", { class: "panel" }, make("h2", { text: t("care.index") }));
    if (!write || !roots.length) {
      panel.append(make("p", { class: "soft", text: t("care.noIndex") }), make("pre", {}, make("code", { text: "lookalike serve --db DB --write --root FOLDER" })));
      return panel;
    }
    const root = make("select", { id: "index-root" }, ...roots.map((one) => make("option", { value: one, text: one })));
    const below = make("input", { id: "index-folder", placeholder: t("care.whole"), autocomplete: "off", spellcheck: "false" });
    const problem = alertLine("");
    const form = make(
      "form", { class: "field wrap" }, make("label", { for: "index-root", text: t("care.folder") }), root,
      make("label", { for: "index-folder", text: t("care.below") }), below, make("button", { class: "main", text: t("care.start") }),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      problem.textContent = "";
      const part = below.value.trim().replace(/^\/+|\/+$/g, "");
      try {
        this.add(await ask("/api/v1/index", { json: { folder: part ? `${root.value.replace(/\/$/, "")}/${part}` : root.value } }));
      } catch (error) {
        problem.textContent = messageOf(error);
      }
    });
    panel.append(make("p", { class: "soft", text: t("care.indexLead") }), form, problem);
    return panel;
  }

  /** @param {State} state */
  async show(state) {
    this.kind = KINDS.find((one) => one === state.get("kind")) || null;
    this.state = state;
    const [jobs] = await Promise.all([ask("/api/v1/jobs", { values: { limit: 10 }, signal: state.signal }), this.showProblems(), this.showNews()]);
    for (const job of [.../** @type {api.Job[]} */ (jobs.items)].reverse()) if (job.kind === "index" || job.kind === "calibration") this.add(job);
  }

  /** @param {api.Job} job */
  async add(job) {
    if (this.watched.has(job.id)) return;
    this.watched.add(job.id);
    const title = job.kind === "index" ? t("care.indexing", { folder: job.about || "" }) : t("care.calibrating");
    const line = new JobLine(job, { title });
    const panel = make("section", { class: "panel" }, line.node);
    this.jobs.prepend(panel);
    const ended = isEnded(job) ? job : await follow(job, (now) => line.update(now));
    const words = resultText(ended.result);
    panel.append(make("p", { class: "soft", text: [words, dateText(new Date(ended.at), { dateStyle: "medium", timeStyle: "short" })].filter(Boolean).join(" · ") }));
    if (isEnded(job)) return;
    dispatchEvent(new Event("collectionchange"));
    await Promise.all([this.showProblems(), this.showNews()]);
  }

  // How many images have come since this browser last looked.
  async showNews() {
    const name = `seen ${this.known.database_id}`;
    /** @type {{ items: api.Image[], total: number }} */
    const { items, total } = await ask("/api/v1/images", { values: { sort: "newest", limit: 1 } });
    const newest = items.length ? items[0].id : 0;
    const seen = localStorage.getItem(name); // null: this browser has not looked yet
    const seenTotal = Number(localStorage.getItem(`${name} total`) || 0);
    const fresh = seen !== null && newest > Number(seen) ? Math.max(1, total - seenTotal) : 0;
    const remember = () => { localStorage.setItem(name, String(newest)); localStorage.setItem(`${name} total`, String(total)); };
    if (!fresh) {
      remember();
      this.news.replaceChildren(make("span", { text: total ? t("care.nothingNew") : t("care.empty") }));
      return;
    }
    this.news.replaceChildren(make("b", { text: t("care.new", { count: fresh }) }), " — ",
      make("a", { href: href("browse", { sort: "newest" }), text: t("care.show"), on: { click: remember } }));
  }

  async showProblems() {
    /** @type {api.Troubles} */
    const found = await ask("/api/v1/problems", { values: { kind: this.kind, limit: PAGE }, signal: this.state?.signal });
    const all = Object.values(found.counts).reduce((sum, one) => sum + one, 0);
    const list = make("ul", { class: "problems" }, ...found.items.map((one) => this.line(one)));
    this.problems.replaceChildren(
      make("h2", { text: all ? t("care.problems", { count: all }) : t("care.noProblems") }),
      all ? this.kinds(found.counts, all) : "", list,
    );
    if (found.next !== null) this.problems.append(this.more(list, found.next));
  }

  /** @param {Record<string, number>} counts @param {number} all */
  kinds(counts, all) {
    return make("div", { class: "choice", role: "group", "aria-label": t("care.kinds") }, ...[null, ...KINDS].map((kind) => make(
      "button", { type: "button", "aria-pressed": String(kind === this.kind), on: { click: () => this.pick(kind) } },
      make("span", { text: t(`care.kind.${kind || "all"}`) }), make("span", { class: "total", text: number(kind ? counts[kind] || 0 : all) }),
    )));
  }

  /** @param {typeof KINDS[number] | null} kind */
  pick(kind) {
    this.kind = kind;
    this.state?.set({ kind });
    return this.showProblems();
  }

  /** @param {HTMLElement} list @param {string} cursor */
  more(list, cursor) {
    const node = button(t("cleanup.moreLines"), { class: "more", on: { click: async () => {
      /** @type {api.Troubles} */
      const found = await ask("/api/v1/problems", { values: { kind: this.kind, limit: PAGE, cursor } });
      list.append(...found.items.map((one) => this.line(one)));
      if (found.next === null) node.remove();
      else node.replaceWith(this.more(list, found.next));
    } } });
    return node;
  }

  /** @param {api.Trouble} problem */
  line({ id, path, kind, images, reason, remedy }) {
    const picture = kind === "plain" && id !== null ? make("img", { src: thumbnail(id, 64), alt: "", width: 56, height: 56, loading: "lazy" })
      : make("span", { class: "no-picture", "aria-hidden": "true", text: "?" });
    return make("li", {}, picture, make("div", {}, make("b", { text: baseName(path), title: path }), make("span", { class: "soft", text: ` ${t(`care.kind.${kind}`)}${images > 1 ? `, ${t("shell.images", { count: images })}` : ""}` }),
      make("p", { text: reason }), make("p", { class: "soft", text: remedy })));
  }
}

/**
 * What a job has done, in words: "12 new or changed · 3 could not be read".
 * @param {Record<string, unknown> | null} result
 */
function resultText(result) {
  const names = /** @type {const} */ (["encoded", "copied", "moved", "unchanged", "missing", "failed"]);
  return names.filter((name) => result?.[name]).map((name) => t(`care.result.${name}`, { count: Number(result?.[name]) })).join(" · ");
}
