// Dialogs, the question for the token, and keys with their help.

import { button, make } from "./dom.js";

// Show a dialog, which Escape closes. `content`: nodes; `buttons`: for its foot. Gives the <dialog>.
export function openDialog(title, content, { buttons = [], kind = "", onClose = () => {} } = {}) {
  const heading = make("h2", { id: "dialog-title", tabindex: "-1", autofocus: true, text: title });
  const close = button("Close", { sign: "close", quiet: true, class: "plain", on: { click: () => dialog.close() } });
  const foot = buttons.length ? make("footer", {}, ...buttons) : null;
  const dialog = make(
    "dialog", { class: kind, "aria-labelledby": "dialog-title" },
    make("header", {}, heading, close), make("div", { class: "content" }, ...content), foot,
  );
  const before = document.activeElement;
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before && before.isConnected) before.focus();
    onClose();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

let asking = null;

// Ask for the token until it is right; the server then gives a cookie in its place. Rejects if nobody knows it.
export function askToken() {
  asking ||= new Promise((resolve, reject) => {
    const field = make("input", { id: "token", type: "password", autocomplete: "current-password", required: true });
    const wrong = make("p", { class: "problem", role: "alert" });
    const form = make(
      "form", { method: "dialog", class: "stack" },
      make("label", { for: "token", text: "The token that the server was started with (--token)" }), field, wrong,
      make("button", { class: "main", text: "Go on" }),
    );
    let known = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      known = await isToken(field.value);
      if (known) dialog.close();
      else wrong.textContent = "That is not the token.";
    });
    const dialog = openDialog("A token is needed", [form], {
      onClose: () => (known ? resolve() : reject(new Error("Without the token this server tells nothing."))),
    });
    field.focus();
  }).finally(() => { asking = null; });
  return asking;
}

async function isToken(token) {
  const answer = await fetch(`/status?${new URLSearchParams({ token })}`);
  return answer.status !== 401;
}

// Keys that work now: [{ key, does, group, run }].
const bound = [];

// Let keys do something, and the help name them, until `signal` aborts.
// keys("Map", {"+": ["zoom in", run], …}, signal); run(event) gives false if the key was not meant.
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

const isTyped = (target) => target.closest?.("input:not([type=range],[type=checkbox],[type=radio]), textarea, select");

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (!singleKeys.on || isTyped(event.target) || document.querySelector("dialog[open]")) return;
  const found = bound.findLast((one) => one.key === event.key && one.run);
  if (found && found.run(event) !== false) event.preventDefault();
});

const SIGNS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space" };

// All keys of this tab, and of all.
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
  const label = make("label", { for: "single-keys", class: "check" }, box, "Keys work on this page");
  openDialog("Keyboard", [...lists, label]);
}
