// Several files searched for at once: a strip of them with the best hit of each, and a table to save.

import { Failure, info } from "./api.js";
import { searchFiles } from "./collection.js";
import { saveCsv } from "./download.js";
import { button, bytes, make, messageOf } from "./dom.js";
import { previewOf } from "./sent.js";
import { t } from "./text.js";
import { isCopy, relationName, thumbnail } from "./tiles.js";

const AT_ONCE = 8; // files a request
const ROOM = 0.9; // share of what the server accepts that files may fill

/** @typedef {{ file: File, node: HTMLElement, said: HTMLElement, best: HTMLElement, hit: api.Hit | null, copies: number, wrong: string }} Row */

export class Batch {
  /** @param {(file: File) => unknown} open shows all that was found for a file */
  constructor(open) {
    this.open = open;
    /** @type {Row[]} */
    this.rows = [];
    this.turn = 0;
    this.sentence = make("h2", { class: "sentence", role: "status" });
    this.list = make("ol", { class: "strip", "aria-label": t("batch.list") });
    this.save = button(t("batch.csv"), { sign: "download", on: { click: () => this.export() } });
    this.node = make("div", { class: "batch", hidden: true }, this.sentence, make("div", { class: "bar" }, this.save), this.list);
  }

  /** @param {File[]} files */
  async run(files) {
    const turn = ++this.turn;
    this.rows = files.map((file) => this.row(file));
    this.list.replaceChildren(...this.rows.map(({ node }) => node));
    this.node.hidden = false;
    const { max_body: most } = await info();
    for (const left = [...this.rows]; left.length && turn === this.turn;) {
      this.tell(left.length);
      await this.ask(left.splice(0, fitting(left, ROOM * most)), most);
    }
    if (turn === this.turn) this.tell(0);
  }

  /** @param {File} file @returns {Row} */
  row(file) {
    const own = make("span", { class: "frame skeleton" }), best = make("span", { class: "frame skeleton" }), said = make("span", { class: "verdict" });
    const link = make("button", { type: "button", on: { click: () => this.open(file) } }, own, best, make("span", { class: "words" }, said, make("span", { class: "name", text: file.name })));
    previewOf(file).then((url) => {
      own.classList.remove("skeleton");
      if (url) own.append(make("img", { src: url, alt: "" }));
    });
    return { file, node: make("li", {}, link), said, best, hit: null, copies: 0, wrong: "" };
  }

  /** @param {Row[]} rows @param {number} most bytes */
  async ask(rows, most) {
    try {
      const [{ file }] = rows;
      if (rows.length === 1 && file.size > most) throw new Failure(t("search.tooLarge", { size: bytes(file.size), most: bytes(most) }));
      const answers = await searchFiles(rows.map((row) => row.file));
      for (const [at, row] of rows.entries()) this.found(row, answers[at]);
    } catch (error) {
      for (const row of rows) this.found(row, { hits: [], error: messageOf(error) });
    }
  }

  /** @param {Row} row @param {{ hits: api.Hit[], error?: string | null }} answer */
  found(row, { hits, error }) {
    row.wrong = error || "";
    row.copies = hits.filter(isCopy).length;
    row.hit = hits.find((hit) => hit.relation !== "different") || null;
    row.said.textContent = error || (row.copies ? t("batch.copies", { count: row.copies }) : t("search.notHere"));
    row.node.classList.toggle("here", row.copies > 0);
    row.best.classList.remove("skeleton");
    if (row.hit) row.best.append(make("img", { src: thumbnail(row.hit, 160), alt: "" }), make("span", { class: `badge${row.copies ? " accent" : ""}`, text: relationName(row.hit.relation) }));
  }

  /** @param {number} left */
  tell(left) {
    const here = this.rows.filter(({ copies }) => copies).length;
    this.sentence.textContent = left ? t("batch.searching", { done: this.rows.length - left, total: this.rows.length }) : t("batch.done", { count: here, total: this.rows.length });
    this.save.disabled = left > 0;
  }

  export() {
    const rows = this.rows.map(({ file, hit, copies, wrong }) => [file.name, copies, hit?.relation || "", hit?.done || "", hit?.path || "", wrong]);
    saveCsv([["file", "copies", "best_relation", "edits", "best_path", "error"], ...rows], "lookalike-search.csv");
  }
}

/**
 * How many of the first files go into one request; at least one.
 * @param {Row[]} rows
 * @param {number} most bytes
 */
function fitting(rows, most) {
  let size = 0;
  const over = rows.slice(0, AT_ONCE).findIndex(({ file }) => {
    size += file.size;
    return size > most;
  });
  return over < 0 ? AT_ONCE : Math.max(1, over);
}
