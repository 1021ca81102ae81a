// Small pictures for a canvas, loaded a few at a time, those that are needed now first.

import { make } from "./dom.js";

const AT_ONCE = 6;
const KEPT = 700;

export class Pictures {
  /**
   * @param {(id: number) => string} urlOf
   * @param {() => unknown} onLoad called when a picture has come
   */
  constructor(urlOf, onLoad) {
    this.urlOf = urlOf;
    this.onLoad = onLoad;
    /** @type {Map<number, ImageBitmap | null>} */
    this.held = new Map(); // by id; null if it could not be loaded
    /** @type {Set<number>} */
    this.loading = new Set();
    /** @type {number[]} */
    this.queue = [];
  }

  /**
   * The picture, or null if it is not there.
   * @param {number} id
   */
  get(id) {
    return this.held.get(id) || null;
  }

  /**
   * Say which pictures are needed now; others are not loaded any more.
   * @param {number[]} ids
   */
  want(ids) {
    this.queue = ids.filter((id) => !this.held.has(id) && !this.loading.has(id)).reverse();
    for (const id of ids) {
      const picture = this.held.get(id);
      if (picture === undefined) continue;
      this.held.delete(id); // so that it is the last to be dropped
      this.held.set(id, picture);
    }
    this.next();
  }

  next() {
    while (this.loading.size < AT_ONCE && this.queue.length) this.load(Number(this.queue.pop()));
  }

  /** @param {number} id */
  async load(id) {
    this.loading.add(id);
    let picture = null;
    try {
      const image = make("img", { src: this.urlOf(id) });
      await image.decode();
      picture = await createImageBitmap(image);
    } catch {
      // Its file is gone, or cannot be shown: the point stays a point.
    }
    this.loading.delete(id);
    this.held.set(id, picture);
    for (const [old, one] of this.held) {
      if (this.held.size <= KEPT) break;
      one?.close();
      this.held.delete(old);
    }
    this.onLoad();
    this.next();
  }
}
