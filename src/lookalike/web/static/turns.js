// A picture turned the way a search says, so that it lies like what was found.

import { Failure } from "./api.js";
import { make } from "./dom.js";

const MIRRORED = "mirrored";
const NOT_SHOWN = "One of the images cannot be shown by this browser, so they cannot be compared.";
const QUARTERS = ["turned right", "upside down", "turned left"];

// What must be done to a picture: mirrored first, then turned right by so many quarters.
function turnOf(text) {
  const parts = text.split(", ");
  return { mirrored: parts.includes(MIRRORED), quarters: 1 + QUARTERS.findIndex((one) => parts.includes(one)) };
}

// A picture { url, width, height, … } as a new one whose file is turned, at most `largest` pixels a side; who asks is to
// revoke its `url`.
export async function turned(picture, text, largest) {
  const { mirrored, quarters } = turnOf(text);
  const image = await loaded(picture.url);
  const sides = [image.naturalWidth, image.naturalHeight];
  const scale = Math.min(1, largest / Math.max(...sides));
  const [width, height] = sides.map((side) => Math.max(1, Math.round(side * scale)));
  const onSide = quarters % 2 === 1;
  const canvas = make("canvas", { width: onSide ? height : width, height: onSide ? width : height });
  const context = canvas.getContext("2d");
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((quarters * Math.PI) / 2);
  context.scale(mirrored ? -1 : 1, 1);
  context.drawImage(image, -width / 2, -height / 2, width, height);
  const blob = await new Promise((done) => canvas.toBlob(done));
  if (!blob) throw new Failure(NOT_SHOWN);
  const [wide, high] = onSide ? [picture.height, picture.width] : [picture.width, picture.height];
  return { ...picture, turn: text, url: URL.createObjectURL(blob), width: wide, height: high };
}

// An image whose pixels are there.
export async function loaded(src) {
  const image = make("img", { src });
  try {
    await image.decode();
  } catch {
    throw new Failure(NOT_SHOWN);
  }
  return image;
}
