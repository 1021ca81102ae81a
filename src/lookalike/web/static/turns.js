// A picture rotated the way a search says, so that it lies like what was found.

import { Failure } from "./api.js";
import { make } from "./dom.js";

const MIRRORED = "mirrored";
const NOT_SHOWN = "This browser cannot display one of the images, so they cannot be compared.";
const QUARTERS = ["turned right", "upside down", "turned left"];

/**
 * What must be done to a picture: mirrored first, then rotated right by a number of quarter turns.
 * @param {string} text
 */
function turnOf(text) {
  const parts = text.split(", ");
  return { mirrored: parts.includes(MIRRORED), quarters: 1 + QUARTERS.findIndex((one) => parts.includes(one)) };
}

/**
 * A picture as a new one that is rotated, at most `largest` pixels a side; the caller revokes its `url`.
 * @param {Shown} picture
 * @param {string} text how, as a hit says it
 * @param {number} largest
 * @returns {Promise<Shown & { url: string }>}
 */
export async function turned(picture, text, largest) {
  const { mirrored, quarters } = turnOf(text);
  const image = await loaded(String(picture.url));
  const sides = [image.naturalWidth, image.naturalHeight];
  const scale = Math.min(1, largest / Math.max(...sides));
  const [width, height] = sides.map((side) => Math.max(1, Math.round(side * scale)));
  const onSide = quarters % 2 === 1;
  const canvas = make("canvas", { width: onSide ? height : width, height: onSide ? width : height });
  const context = contextOf(canvas);
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((quarters * Math.PI) / 2);
  context.scale(mirrored ? -1 : 1, 1);
  context.drawImage(image, -width / 2, -height / 2, width, height);
  /** @type {Blob | null} */
  const blob = await new Promise((done) => { canvas.toBlob(done); });
  if (!blob) throw new Failure(NOT_SHOWN);
  const [wide, high] = onSide ? [picture.height, picture.width] : [picture.width, picture.height];
  return { ...picture, turn: text, url: URL.createObjectURL(blob), width: wide, height: high };
}

/**
 * An image whose pixels are loaded.
 * @param {string} src
 */
export async function loaded(src) {
  const image = make("img", { src });
  try {
    await image.decode();
  } catch {
    throw new Failure(NOT_SHOWN);
  }
  return image;
}

/**
 * The drawing context of a canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
export function contextOf(canvas, settings) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", settings));
}
