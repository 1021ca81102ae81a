// Why two images match: side by side with what both show outlined, or one laid over the other: swipe, blink, difference.

import { cssPolygon, cssTransform, outlines } from "./alignment.js";
import { href } from "./address.js";
import { comparison, details } from "./collection.js";
import { openDialog } from "./dialogs.js";
import { button, draw, icon, make, say, still } from "./dom.js";
import { Stage } from "./stage.js";
import { t } from "./text.js";
import { said, thumbnail } from "./tiles.js";
import { compareTable, original, turner } from "./viewer.js";

const MODES = /** @type {const} */ (["beside", "swipe", "blink", "difference"]);
/** @typedef {typeof MODES[number]} Mode */
const BLINK = 700; // milliseconds

/**
 * Compare a query with one of its hits; arrow keys lead to the others.
 * @param {Shown} query
 * @param {Compared[]} hits
 */
export function compare(query, hits, at = 0, { names = [t("compare.yours"), t("compare.found")] } = {}) {
  const view = make("div", { class: "stage" });
  const stage = new Stage(view);
  const facts = make("aside", { class: "facts", tabindex: "0", "aria-label": t("compare.facts") });
  const verdict = make("p", { class: "verdict", role: "status" });
  const tools = make("div", { class: "mode-tools" });
  const stop = new AbortController();
  /** @type {Mode} */
  let mode = "beside";
  let hit = hits[at];
  let outlined = true;
  let leave = () => {};
  const choices = MODES.map((name) => make(
    "button", { type: "button", text: t(`compare.${name}`), "aria-pressed": "false", data: { mode: name }, on: { click: () => pick(name) } },
  ));
  const outline = button(t("compare.outline"), { sign: "lasso", "aria-pressed": "true", on: { click: () => {
    outlined = !outlined;
    outline.setAttribute("aria-pressed", String(outlined));
    view.classList.toggle("outlined", outlined);
  } } });
  const zooms = make(
    "span", { class: "zoom-tools" }, button(t("zoom.out"), { sign: "minus", quiet: true, class: "plain", on: { click: () => stage.closer(1 / 1.5) } }),
    button(t("zoom.whole"), { sign: "fit", quiet: true, class: "plain", on: { click: () => stage.whole() } }),
    button(t("zoom.in"), { sign: "plus", quiet: true, class: "plain", on: { click: () => stage.closer(1.5) } }),
    button(t("zoom.full"), { sign: "full", quiet: true, class: "plain", on: { click: () => (document.fullscreenElement ? document.exitFullscreen() : dialog.requestFullscreen()) } }),
  );
  const bar = make(
    "div", { class: "bar" }, make("div", { class: "choice", role: "group", "aria-label": t("compare.how") }, ...choices), outline, tools,
    make("span", { class: "grow" }), zooms,
  );
  const search = make("a", { class: "button", "aria-label": t("compare.search") }, icon("search"), make("span", { text: t("compare.search") }));
  const open = make("a", { class: "button", target: "_blank", rel: "noopener", "aria-label": t("compare.original") }, icon("open"), make("span", { text: t("compare.original") }));
  const turn = turner(hits.length, at, show);
  const dialog = openDialog(t("compare.title"), [verdict, bar, make("div", { class: "stage-and-facts" }, view, facts)], {
    kind: "viewer compare", buttons: [search, open, ...turn.buttons], onClose: () => { leave(); stop.abort(); },
  });
  search.addEventListener("click", () => dialog.close());
  view.classList.add("outlined");
  dialog.addEventListener("keydown", (event) => {
    const name = MODES[Number(event.key) - 1];
    if (name) pick(name);
    else if (event.key === "+") stage.closer(1.5);
    else if (event.key === "-") stage.closer(1 / 1.5);
    else if (event.key === "0") stage.whole();
    else if (event.key === "o") outline.click();
    else turn.onKey(event);
  });
  turn.to(at);

  /** @param {Mode} name */
  function pick(name) {
    mode = name;
    for (const one of choices) one.setAttribute("aria-pressed", String(one.dataset.mode === mode));
    leave();
    tools.replaceChildren();
    stage.clear();
    view.dataset.mode = mode;
    outline.hidden = mode !== "beside" || !hit.transform;
    leave = (mode === "beside" ? beside() : over(mode)) || (() => {});
  }

  /** @param {number} number */
  async function show(number) {
    const shown = hits[number];
    hit = shown;
    verdict.textContent = hit.relation ? sentence(said(hit)) : t("compare.comparing");
    search.href = href("search", { id: hit.id });
    open.href = original(hit);
    stage.whole();
    pick(mode);
    say(`${hit.name}, ${said(hit)}`);
    facts.replaceChildren(compareTable(query, hit, names));
    const own = "id" in query ? Number(query.id) : 0;
    const [known, both] = await Promise.all([
      details(hit.id, stop.signal).catch(() => shown), own ? comparison(own, hit.id, stop.signal).catch(() => null) : null,
    ]);
    if (hit !== shown || stop.signal.aborted) return;
    facts.replaceChildren(compareTable({ ...query, loses: both?.loses_a }, { ...known, loses: both?.loses_b }, names));
    if (!both || hit.transform) return;
    hit = { ...hit, relation: hit.relation || both.relation, done: hit.done || both.done, edits: both.edits, verified: both.verified, transform: both.transform };
    verdict.textContent = sentence(said(hit));
    pick(mode);
  }

  function beside() {
    const both = hit.transform ? outlines(hit.transform) : null;
    const pictures = [{ one: query, line: both?.query }, { one: hit, line: both?.found }];
    pictures.forEach(({ one, line }, number) => {
      const image = picture(one);
      stage.add(one.width || 1, one.height || 1, [image, line ? outlineOf(line) : null], {
        below: make("figcaption", { class: "name", text: names[number] }),
      });
    });
  }

  /** @param {Mode} kind */
  function over(kind) {
    const { transform } = hit;
    const layer = make("div", { class: "layer" }, picture(query));
    const both = transform ? outlines(transform) : null;
    const image = picture(hit);
    const common = make("div", { class: "common" }, image, layer);
    if (both && kind === "difference") common.style.clipPath = cssPolygon(both.found);
    stage.add(hit.width || 1, hit.height || 1, [common], {
      fit: (width, height) => { if (transform) layer.style.transform = cssTransform(transform, width, height); },
    });
    if (!transform) tools.append(make("span", { class: "told", text: t("compare.notAligned") }));
    return kind === "swipe" ? swipe(common) : kind === "blink" ? blink(layer) : difference(common);
  }

  /** @param {HTMLElement} common */
  function swipe(common) {
    const slider = make("input", { type: "range", min: 0, max: 100, value: 50, step: 0.5, "aria-label": t("compare.border"), class: "swiper" });
    const line = make("span", { class: "swipe-line" });
    common.append(line);
    const put = () => common.style.setProperty("--at", `${slider.value}%`);
    slider.addEventListener("input", put);
    tools.append(make("span", { class: "told", text: names[0] }), slider, make("span", { class: "told", text: names[1] }));
    put();
  }

  /** @param {HTMLElement} layer */
  function blink(layer) {
    const now = make("span", { class: "told" });
    let shown = true;
    const put = () => {
      layer.hidden = !shown;
      now.textContent = t("compare.now", { name: names[shown ? 0 : 1] });
    };
    const flip = () => { shown = !shown; put(); };
    tools.append(button(t("compare.flip"), { on: { click: flip } }), now);
    put();
    if (still()) return undefined;
    const timer = setInterval(flip, BLINK);
    return () => clearInterval(timer);
  }

  /** @param {HTMLElement} common */
  function difference(common) {
    const gain = make("input", { type: "range", min: 1, max: 16, value: 4, id: "gain" });
    const put = () => { common.style.filter = `brightness(${gain.value})`; };
    gain.addEventListener("input", put);
    tools.append(make("span", { class: "field" }, make("label", { for: "gain", text: t("compare.brightness") }), gain));
    put();
  }
}

/**
 * A picture: at first its thumbnail, then its file, if the browser can show it.
 * @param {Shown | Compared} one
 */
function picture(one) {
  const stored = "thumbnail" in one ? one : null;
  const image = make("img", { src: stored ? thumbnail(stored, 1024) : String("url" in one ? one.url : ""), alt: one.name, draggable: "false" });
  if (!stored) return image;
  const whole = make("img", { src: original(stored), alt: one.name, draggable: "false" });
  whole.decode().then(() => image.replaceWith(whole), () => {});
  return image;
}

/** @param {import("./alignment.js").Outline} line */
function outlineOf(line) {
  const points = line.map(([x, y]) => `${100 * x},${100 * y}`).join(" ");
  return draw("svg", { class: "outline", viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("polygon", { class: "under", points }), draw("polygon", { points }));
}

/** @param {string} text */
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
