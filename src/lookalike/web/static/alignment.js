// Where one picture lies in another. Points are in shares of the sides, 0 to 1; a transform has 9 numbers, row by row, and
// leads from the query to what was found.

/** @typedef {Point[]} Outline */

/** @type {Outline} */
const WHOLE = [[0, 0], [1, 0], [1, 1], [0, 1]];

/**
 * @param {number[]} matrix
 * @param {Point} point
 * @returns {Point}
 */
function mapped(matrix, [x, y]) {
  const [a, b, c, d, e, f, g, h, i] = matrix;
  const w = g * x + h * y + i;
  return [(a * x + b * y + c) / w, (d * x + e * y + f) / w];
}

/** @param {number[]} matrix */
export function inverse([a, b, c, d, e, f, g, h, i]) {
  return [e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f, d * h - e * g, b * g - a * h, a * e - b * d];
}

/**
 * What both pictures show: its outline in the query, and in what was found. Null if they do not overlap.
 * @param {number[]} transform
 * @returns {{ query: Outline, found: Outline } | null}
 */
export function outlines(transform) {
  const found = clipped(WHOLE.map((point) => mapped(transform, point)));
  const back = inverse(transform);
  return found.length < 3 ? null : { found, query: found.map((point) => mapped(back, point)) };
}

/**
 * The part of a polygon that is within the picture (Sutherland and Hodgman).
 * @param {Outline} polygon
 * @returns {Outline}
 */
function clipped(polygon) {
  let points = polygon;
  for (const axis of [0, 1]) {
    for (const [limit, sign] of [[0, 1], [1, -1]]) {
      const inside = (/** @type {Point} */ point) => sign * (point[axis] - limit) >= 0;
      points = points.flatMap((point, at) => {
        const before = points.at(at - 1) || point;
        const cut = inside(point) === inside(before) ? [] : [between(before, point, axis, limit)];
        return inside(point) ? [...cut, point] : cut;
      });
    }
  }
  return points;
}

/** @param {Point} one @param {Point} other @param {number} axis @param {number} limit @returns {Point} */
function between(one, other, axis, limit) {
  const part = (limit - one[axis]) / (other[axis] - one[axis]);
  return [one[0] + part * (other[0] - one[0]), one[1] + part * (other[1] - one[1])];
}

/**
 * The CSS transform that lays a query, stretched to the size of what was found, over it.
 * @param {number[]} transform
 * @param {number} width
 * @param {number} height
 */
export function cssTransform([a, b, c, d, e, f, g, h, i], width, height) {
  const shown = [a, (d * height) / width, 0, g / width, (b * width) / height, e, 0, h / height, 0, 0, 1, 0, c * width, f * height, 0, i];
  return `matrix3d(${shown.map((value) => value.toFixed(8)).join(",")})`;
}

/**
 * The CSS clip path of an outline.
 * @param {Outline} outline
 */
export const cssPolygon = (outline) => `polygon(${outline.map(([x, y]) => `${(100 * x).toFixed(3)}% ${(100 * y).toFixed(3)}%`).join(",")})`;
