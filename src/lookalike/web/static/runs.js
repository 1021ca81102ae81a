// The history of what went into the trash: a line for each run, its files, and a button that puts them back.

import { ask } from "./api.js";
import { openDialog } from "./dialogs.js";
import { alertLine, button, bytes, make, messageOf, present, say } from "./dom.js";
import { follow, JobLine } from "./jobs.js";
import { dateText, t } from "./text.js";
import { baseName } from "./tiles.js";

const PAGE = 100; // runs, or files, per request

export class Runs {
  /** @param {{ write: boolean, onChange: () => unknown }} options */
  constructor({ write, onChange }) {
    this.write = write;
    this.onChange = onChange;
    this.node = make("div", { class: "panel runs" });
  }

  /** @param {AbortSignal} signal */
  async load(signal) {
    this.signal = signal;
    /** @type {{ items: api.Run[], total: number }} */
    const { items, total } = await ask("/api/v1/runs", { values: { limit: PAGE }, signal });
    this.node.hidden = total === 0;
    this.node.replaceChildren(...items.map((one) => this.line(one)));
    return total;
  }

  /** @param {api.Run} run */
  line(run) {
    /** @type {HTMLElement} */
    const node = make("article", { class: "run", "aria-label": dateText(new Date(run.at)) });
    const left = run.files > 0 && run.state !== "running";
    node.append(
      make("h3", { text: t(`runs.${run.state}`, { count: run.files || run.count, bytes: bytes(run.bytes) }) }),
      make("p", { class: "soft" }, `${dateText(new Date(run.at), { dateStyle: "medium", timeStyle: "short" })} · `, make("code", { text: run.trash })),
      make("span", { class: "buttons" }, ...present([
        this.write && run.state === "interrupted" ? button(t("runs.resume"), { on: { click: () => this.start(node, run, "apply") } }) : null,
        this.write && left ? button(t("runs.undo"), { on: { click: () => this.confirm(node, run) } }) : null,
      ])),
      this.files(run),
    );
    if (run.state === "running" && run.job) ask(`/api/v1/jobs/${run.job}`).then((job) => this.watch(node, job), () => {});
    return node;
  }

  /** @param {api.Run} run */
  files(run) {
    const list = make("ul", { class: "files", tabindex: "0", "aria-label": t("runs.files") });
    /** @type {string | null} */
    let cursor = null;
    const more = button(t("cleanup.moreLines"), { on: { click: () => load() } });
    const load = async () => {
      /** @type {{ items: api.RunFile[], next: string | null }} */
      const found = await ask(`/api/v1/runs/${run.id}/files`, { values: { limit: PAGE, cursor }, signal: this.signal });
      list.append(...found.items.map((one) => make("li", { title: one.to }, make("b", { text: baseName(one.path) }),
        make("span", { class: "soft", text: ` ${bytes(one.size)} · ${t(one.in_trash ? "runs.inTrash" : "runs.back")} · ${one.path}` }))));
      cursor = found.next;
      more.hidden = cursor === null;
    };
    const node = make("details", {}, make("summary", { text: t("runs.files") }), list, more);
    node.addEventListener("toggle", () => { if (node.open && !list.children.length) load(); });
    return node;
  }

  /** @param {HTMLElement} node @param {api.Run} run */
  confirm(node, run) {
    const go = button(t("runs.undoCount", { count: run.files }), { class: "main", on: { click: () => { dialog.close(); this.start(node, run, "undo"); } } });
    const dialog = openDialog(t("runs.undoTitle"), [
      make("p", { class: "large", text: t("runs.undoConfirm", { count: run.files, bytes: bytes(run.bytes) }) }),
      make("p", { class: "folder" }, `${t("runs.from")} `, make("code", { text: run.trash })),
    ], { buttons: [go] });
  }

  /** @param {HTMLElement} node @param {api.Run} run @param {"apply" | "undo"} what */
  async start(node, run, what) {
    try {
      await this.watch(node, what === "undo" ? await ask(`/api/v1/runs/${run.id}/undo`, { method: "POST" }) : await this.resume(run));
    } catch (error) {
      node.append(alertLine(messageOf(error)));
    }
  }

  /**
   * Go on with what was confirmed before the interruption.
   * @param {api.Run} run
   * @returns {Promise<api.Job>}
   */
  async resume(run) {
    /** @type {api.Plan} */
    const { count, bytes: size } = await ask(`/api/v1/plans/${run.id}`);
    return ask(`/api/v1/plans/${run.id}/apply`, { json: { count, bytes: size } });
  }

  /** @param {HTMLElement} node @param {api.Job} job */
  async watch(node, job) {
    const line = new JobLine(job, { title: t(job.kind === "undo" ? "runs.undoing" : "runs.applying") });
    node.querySelector(".buttons")?.replaceWith(line.node);
    const ended = await follow(job, (now) => line.update(now), this.signal).catch(() => null);
    if (!ended) return;
    this.onChange();
    say(t(`jobs.${ended.state}`));
    if (this.signal) await this.load(this.signal);
    if (ended.error) this.node.prepend(alertLine(ended.error));
  }
}
