// Positions of images on the map as typed arrays, with an index by position.

const CELLS = 64; // of the index, a side
const WORLD = 10000; // the plane, a side
const BUDGET = 8; // milliseconds of work before the page may do something else

export class Points {
  /** @param {api.Map} answer of /api/v1/map */
  constructor({ ids, x, y, labels, label }) {
    this.ids = Float64Array.from(ids); // numbers of images may need more than 32 bits
    this.x = Float32Array.from(x);
    this.y = Float32Array.from(y);
    this.label = Int32Array.from(label);
    this.labels = labels;
    this.length = ids.length;
    // Points sorted by cell: those of cell c are sorted[start[c]] to sorted[start[c + 1] − 1].
    this.start = new Int32Array(CELLS * CELLS + 1);
    this.sorted = new Int32Array(this.length);
    this.index();
  }

  index() {
    const cells = new Int32Array(this.length);
    for (let at = 0; at < this.length; at += 1) {
      cells[at] = cell(this.x[at]) + CELLS * cell(this.y[at]);
      this.start[cells[at] + 1] += 1;
    }
    for (let at = 0; at < CELLS * CELLS; at += 1) this.start[at + 1] += this.start[at];
    const next = this.start.slice();
    for (let at = 0; at < this.length; at += 1) this.sorted[next[cells[at]]++] = at;
  }

  /**
   * The point nearest to a place, at most `far` from it; −1 if there is none.
   * @param {number} x
   * @param {number} y
   * @param {number} far
   */
  nearest(x, y, far) {
    let best = -1, least = far * far;
    this.inBox(x - far, y - far, x + far, y + far, (at) => {
      const square = (this.x[at] - x) ** 2 + (this.y[at] - y) ** 2;
      if (square <= least) [best, least] = [at, square];
    });
    return best;
  }

  /**
   * Call `each(point)` for all points of a box.
   * @param {number} left
   * @param {number} top
   * @param {number} right
   * @param {number} bottom
   * @param {(point: number) => unknown} each
   */
  inBox(left, top, right, bottom, each) {
    for (let row = cell(top); row <= cell(bottom); row += 1) {
      for (let column = cell(left); column <= cell(right); column += 1) {
        const own = column + CELLS * row;
        for (let place = this.start[own]; place < this.start[own + 1]; place += 1) {
          const at = this.sorted[place];
          if (this.x[at] >= left && this.x[at] <= right && this.y[at] >= top && this.y[at] <= bottom) each(at);
        }
      }
    }
  }

  /**
   * The points within a closed line: [x, y, x, y, …]. Pauses now and then to keep the page responsive.
   * @param {ArrayLike<number>} line
   */
  async inside(line) {
    /** @type {number[]} */
    const found = [];
    let since = performance.now();
    for (let at = 0; at < this.length; at += 1) {
      if (isInside(this.x[at], this.y[at], line)) found.push(at);
      if ((at & 255) === 0 && performance.now() - since > BUDGET) {
        await new Promise((resolve) => { setTimeout(resolve); });
        since = performance.now();
      }
    }
    return found;
  }

  /**
   * The first point of each occupied square of a side.
   * @param {number} side
   */
  ofSquares(side) {
    const seen = new Set();
    const across = Math.ceil(WORLD / side) + 1;
    const found = [];
    for (let at = 0; at < this.length; at += 1) {
      const square = Math.floor(this.x[at] / side) + across * Math.floor(this.y[at] / side);
      if (seen.has(square)) continue;
      seen.add(square);
      found.push(at);
    }
    return Int32Array.from(found);
  }

  /**
   * The most frequent labels: [{ label, name, count }].
   * @param {number} most
   */
  commonest(most) {
    const counts = new Int32Array(this.labels.length);
    for (const label of this.label) if (label >= 0) counts[label] += 1;
    const all = [...counts].map((count, label) => ({ label, name: this.labels[label], count }));
    return all.sort((a, b) => b.count - a.count).slice(0, most);
  }
}

/** @param {number} value */
function cell(value) {
  return Math.max(0, Math.min(CELLS - 1, Math.floor((value * CELLS) / WORLD)));
}

/**
 * Whether a place lies within a closed line, by how often a ray crosses it.
 * @param {number} x
 * @param {number} y
 * @param {ArrayLike<number>} line
 */
export function isInside(x, y, line) {
  let inside = false;
  for (let at = 0, last = line.length - 2; at < line.length; last = at, at += 2) {
    const y1 = line[at + 1], y2 = line[last + 1];
    if (y1 > y !== y2 > y && x < ((line[last] - line[at]) * (y - y1)) / (y2 - y1) + line[at]) inside = !inside;
  }
  return inside;
}
