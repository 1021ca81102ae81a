// Dialogs, the request for the token, and keyboard shortcuts with their help.

import { alertLine, button, focused, make } from "./dom.js";
import { t } from "./text.js";

/**
 * Show a dialog, which Escape closes. `content`: nodes; `buttons`: for its foot. Returns the <dialog>.
 * @param {string} title
 * @param {Child[]} content
 * @param {{ buttons?: Child[], kind?: string, onClose?: () => unknown }} options
 */
export function openDialog(title, content, { buttons = [], kind = "", onClose = () => {} } = {}) {
  const heading = make("h2", { id: "dialog-title", tabindex: "-1", autofocus: true, text: title });
  const close = button(t("shell.close"), { sign: "close", quiet: true, class: "plain", on: { click: () => dialog.close() } });
  const foot = buttons.length ? make("footer", {}, ...buttons) : null;
  const dialog = make(
    "dialog", { class: kind, "aria-labelledby": "dialog-title" },
    make("header", {}, heading, close), make("div", { class: "content" }, ...content), foot,
  );
  const before = focused();
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
    onClose();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** @type {Promise<void> | null} */
let asking = null;

// Ask for the token until it is right; the server then sets a cookie in its place. Rejects if the dialog is closed.
export function askToken() {
  asking ||= /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
    const field = make("input", { id: "token", type: "password", autocomplete: "current-password", required: true });
    const wrong = alertLine("");
    const form = make(
      "form", { method: "dialog", class: "stack" },
      make("label", { for: "token", text: t("token.label") }), field, wrong,
      make("button", { class: "main", text: t("token.go") }),
    );
    let known = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      known = await isToken(field.value);
      if (known) dialog.close();
      else wrong.textContent = t("token.wrong");
    });
    const dialog = openDialog(t("token.title"), [form], {
      onClose: () => (known ? resolve() : reject(new Error(t("token.closed")))),
    });
    field.focus();
  })).finally(() => { asking = null; });
  return asking;
}

/** @param {string} token */
async function isToken(token) {
  const answer = await fetch(`/status?${new URLSearchParams({ token })}`);
  return answer.status !== 401;
}

/**
 * What a key does, in words, and the function that does it, which returns false if the key was not meant.
 * @typedef {[does: string, run?: (event: KeyboardEvent) => unknown]} Action
 */

/** @type {{ key: string, does: string, group: string, run?: Action[1] }[]} */
const bound = []; // the shortcuts that work now

/**
 * Bind keys, and list them in the help, until `signal` aborts: keys("Map", {"+": ["zoom in", run], …}, signal).
 * @param {string} group
 * @param {Record<string, Action>} actions
 * @param {AbortSignal} [signal]
 */
export function keys(group, actions, signal) {
  const added = Object.entries(actions).map(([key, [does, run]]) => ({ key, does, group, run }));
  bound.push(...added);
  signal?.addEventListener("abort", () => {
    for (const one of added) bound.splice(bound.indexOf(one), 1);
  });
}

export const singleKeys = {
  get on() { return localStorage.getItem("keys") !== "off"; },
  set on(value) { localStorage.setItem("keys", value ? "on" : "off"); },
};

/** @param {EventTarget | null} target */
const isTyped = (target) => target instanceof Element
  && target.closest("input:not([type=range],[type=checkbox],[type=radio]), textarea, select");

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (!singleKeys.on || isTyped(event.target) || document.querySelector("dialog[open]")) return;
  const found = bound.findLast((one) => one.key === event.key && one.run);
  if (found?.run && found.run(event) !== false) event.preventDefault();
});

/** @type {Record<string, string>} */
const SIGNS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space" };

// Show the shortcuts of this tab, and of all.
export function showKeys() {
  const groups = [...new Set(bound.map((one) => one.group))].reverse();
  const lists = groups.map((group) => make(
    "section", {}, make("h3", { text: group }),
    make("dl", { class: "keys" }, ...bound.filter((one) => one.group === group).flatMap((one) => [
      make("dt", {}, make("kbd", { text: SIGNS[one.key] || one.key })), make("dd", { text: one.does }),
    ])),
  ));
  const box = make("input", { type: "checkbox", id: "single-keys", on: { change: () => { singleKeys.on = box.checked; } } });
  box.checked = singleKeys.on;
  const label = make("label", { for: "single-keys", class: "check" }, box, t("shell.useKeys"));
  openDialog(t("shell.keys"), [...lists, label]);
}
