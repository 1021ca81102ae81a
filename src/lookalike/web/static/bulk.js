// Decisions about many groups at once: accepting what is proposed, and rules for which copy stays.

import { openDialog } from "./dialogs.js";
import { alertLine, button, bytes, later, make, messageOf, present } from "./dom.js";
import { accepted, allGroups, removals } from "./groups.js";
import { number, t } from "./text.js";
import { thumbnail } from "./tiles.js";

/** @typedef {import("./cleanup.js").CleanUp} CleanUp */

const SIMPLE = /** @type {const} */ (["original", "oldest", "newest", "largest", "most-pixels", "shortest-path"]);
const FOLDERS = /** @type {const} */ (["folder", "not-folder"]);
const SAMPLE = 4; // groups whose kept copy changes, as pictures

/**
 * A rule in words: "always prefer Camera".
 * @param {string} rule
 */
export function ruleText(rule) {
  const folder = FOLDERS.find((name) => rule.startsWith(`${name}=`));
  if (folder) return t(`rules.${folder}`, { folder: rule.slice(folder.length + 1) });
  const simple = SIMPLE.find((name) => name === rule);
  return simple ? t(`rules.${simple}`) : rule;
}

/**
 * A button with a menu: accept what is proposed for all groups of a kind, or for all in view.
 * @param {CleanUp} list
 */
export function acceptMenu(list) {
  const items = make("div", { class: "menu", role: "group", "aria-label": t("accept.open") });
  const node = make("details", { class: "dropdown" }, make("summary", { class: "button main", text: t("accept.open") }), items);
  const problem = alertLine("");
  const run = async (/** @type {string | null} */ relation) => {
    try {
      const { strictness } = list.values();
      const groups = await allGroups({ strictness, relation, state: "undecided" }, list.rules.list);
      node.open = false;
      await list.accept(groups.map(accepted));
    } catch (error) {
      problem.textContent = messageOf(error);
    }
  };
  node.addEventListener("toggle", () => {
    if (!node.open || !list.found) return;
    const { relation } = list.values();
    const kinds = /** @type {const} */ (["exact", "same-pixels", "edited"]);
    items.replaceChildren(
      make("p", { class: "soft", text: t("accept.explain") }),
      ...kinds.map((kind) => button(t(`accept.${kind}`), { on: { click: () => run(kind) } })),
      button(relation ? t("accept.view", { kind: t(`cleanup.kind.${relation}`) }) : t("accept.all"), { class: "main", on: { click: () => run(relation) } }),
      problem,
    );
  });
  node.addEventListener("keydown", (event) => { if (event.key === "Escape") node.open = false; });
  document.addEventListener("click", (event) => { if (node.open && !node.contains(/** @type {Node} */ (event.target))) node.open = false; });
  return node;
}

// The rules, with a preview of what they change.
export class RulesDialog {
  /** @param {CleanUp} list */
  constructor(list) {
    this.list = list;
    this.rules = [...list.rules.list];
    this.lines = make("ol", { class: "rules" });
    this.preview = make("div", { class: "preview", role: "status" });
    this.problem = alertLine("");
    this.kind = make("select", { id: "rule-kind" }, ...[...FOLDERS, ...SIMPLE].map((name) => make("option", { value: name, text: t(`rules.choice.${name}`) })));
    this.folder = make("select", { id: "rule-folder", "aria-label": t("rules.folderName") });
    this.turn = 0;
    /** @type {Promise<api.Group[]> | null} */
    this.before = null; // the groups as they are without new rules
    this.look = later(() => this.show(), 150);
    this.kind.addEventListener("change", () => this.fit());
  }

  open() {
    const add = button(t("rules.add"), { on: { click: () => this.add() } });
    const form = make("div", { class: "field wrap" }, make("label", { for: "rule-kind", text: t("rules.new") }), this.kind, this.folder, add);
    const use = button(t("rules.use"), { on: { click: () => this.close(false) } });
    const all = this.list.write ? button(t("rules.useAll"), { class: "main", on: { click: () => this.close(true) } }) : null;
    this.dialog = openDialog(t("rules.title"), [make("p", { class: "soft", text: t("rules.explain") }), this.lines, form, this.preview, this.problem],
      { buttons: present([all, use]), kind: "wide" });
    this.fit();
    this.draw();
  }

  /**
   * Offer the folders that have copies, and those above them.
   * @param {api.Group[]} groups
   */
  folders(groups) {
    if (this.folder.options.length) return;
    /** @type {Map<string, number>} */
    const files = new Map(); // copies below each folder
    for (const { path, name } of groups.flatMap((group) => group.images)) {
      const root = path.length - name.length - 1;
      for (let end = path.lastIndexOf("/"); end >= root && end > 0; end = path.lastIndexOf("/", end - 1)) {
        const folder = path.slice(0, end);
        files.set(folder, (files.get(folder) || 0) + 1);
      }
    }
    this.folder.replaceChildren(...[...files].sort().map(([folder, total]) => make("option", { value: folder, text: `${folder} (${number(total)})` })));
  }

  fit() {
    this.folder.hidden = !FOLDERS.some((one) => one === this.kind.value);
  }

  add() {
    const rule = this.folder.hidden ? this.kind.value : `${this.kind.value}=${this.folder.value}`;
    if (!this.rules.includes(rule)) this.rules.push(rule);
    this.draw();
  }

  draw() {
    const drop = (/** @type {string} */ rule) => { this.rules = this.rules.filter((one) => one !== rule); this.draw(); };
    const up = (/** @type {number} */ at) => { this.rules.splice(at - 1, 0, ...this.rules.splice(at, 1)); this.draw(); };
    this.lines.replaceChildren(...this.rules.map((rule, at) => make(
      "li", {}, make("span", { text: ruleText(rule) }), make("span", { class: "grow" }),
      at ? button(t("rules.up"), { class: "plain", on: { click: () => up(at) } }) : null,
      button(t("rules.remove"), { class: "plain", on: { click: () => drop(rule) } }),
    )));
    if (!this.rules.length) this.lines.replaceChildren(make("li", { class: "soft", text: t("rules.none") }));
    this.look();
  }

  // What the rules change.
  async show() {
    const turn = ++this.turn;
    const values = { strictness: this.list.values().strictness, state: /** @type {const} */ ("undecided") };
    try {
      this.before ||= allGroups(values, []);
      const [before, after] = await Promise.all([this.before, this.rules.length ? allGroups(values, this.rules) : this.before]);
      if (turn !== this.turn) return;
      this.folders(before);
      const best = new Map(before.map((group) => [group.id, group.best]));
      const changed = after.filter((group) => best.get(group.id) !== group.best);
      const files = after.reduce((sum, group) => sum + removals(group).length, 0);
      const freed = after.reduce((sum, group) => sum + group.freed, 0);
      this.preview.replaceChildren(
        make("p", { class: "large", text: t("rules.changes", { count: changed.length, total: after.length }) }),
        make("p", { class: "soft", text: [t("cleanup.canGo", { count: files }), t("cleanup.frees", { bytes: bytes(freed) })].join(" · ") }),
        ...changed.slice(0, SAMPLE).map((group) => this.sample(group, Number(best.get(group.id)))),
      );
    } catch (error) {
      if (turn === this.turn) this.problem.textContent = messageOf(error);
    }
  }

  /** @param {api.Group} group @param {number} old */
  sample(group, old) {
    const picture = (/** @type {number} */ id, /** @type {string} */ words) => {
      const image = group.images.find((one) => one.id === id);
      return image ? make("figure", {}, make("img", { src: thumbnail(image, 128), alt: "" }), make("figcaption", {}, make("b", { text: words }), ` ${image.name}`)) : null;
    };
    return make("div", { class: "change" }, picture(group.best, t("rules.nowKept")), picture(old, t("rules.beforeKept")));
  }

  /** @param {boolean} accept */
  async close(accept) {
    try {
      const { strictness } = this.list.values();
      const groups = accept ? await allGroups({ strictness, state: "undecided" }, this.rules) : [];
      this.dialog?.close();
      this.list.rules.set(this.rules);
      if (accept) await this.list.accept(groups.map(accepted));
      else await this.list.show(this.list.state);
    } catch (error) {
      this.problem.textContent = messageOf(error);
    }
  }
}
