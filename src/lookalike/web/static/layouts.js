// Where tiles are: squares in columns, or rows of one width in which each picture keeps its shape. Both answer the same questions.

const GAP = 2; // pixels between pictures
const HIGHEST = 15_000_000; // pixels: browsers draw no higher element

/** @typedef {{ x: number, y: number, width: number, height: number, below: number }} Place `below`: pixels for words, of the height */

// Squares: a tile's place follows from its number, so nothing must be known of the pictures.
export class Squares {
  /** @param {number} cell the least width of a tile, in CSS pixels */
  constructor(cell) {
    this.cell = cell;
    this.columns = 2;
    this.side = cell;
    this.total = 0;
  }

  /** @param {number} width @param {number} total */
  fit(width, total) {
    this.total = total;
    this.columns = Math.max(2, Math.floor((width + GAP) / (this.cell + GAP)));
    this.side = (width - GAP * (this.columns - 1)) / this.columns;
  }

  get row() {
    return this.side + GAP;
  }

  // How many tiles a browser can draw.
  get most() {
    return Math.floor(HIGHEST / this.row) * this.columns;
  }

  get height() {
    return Math.max(0, Math.ceil(Math.min(this.total, this.most) / this.columns) * this.row - GAP);
  }

  /** @param {number} number @returns {Place} */
  place(number) {
    const { side } = this;
    return { x: (number % this.columns) * this.row, y: Math.floor(number / this.columns) * this.row, width: side, height: side, below: 0 };
  }

  /**
   * The first tile between two heights, and the first behind them.
   * @param {number} top
   * @param {number} bottom
   */
  range(top, bottom) {
    const first = Math.max(0, Math.floor(top / this.row)) * this.columns;
    const end = Math.ceil(bottom / this.row) * this.columns;
    return [Math.min(first, this.total), Math.max(0, Math.min(end, this.total, this.most))];
  }

  /**
   * The tile that is a number of rows below another.
   * @param {number} number
   * @param {number} rows
   */
  under(number, rows) {
    return number + rows * this.columns;
  }
}

// Rows that fill the width; the last is not stretched.
export class Rows {
  /**
   * @param {number[]} shapes width by height of each picture
   * @param {{ height: number, below?: number }} options `height`: the greatest of a row, without the words below
   */
  constructor(shapes, { height, below = 0 }) {
    this.shapes = shapes;
    this.most = shapes.length;
    this.wanted = height;
    this.below = below;
    /** @type {Place[]} */
    this.places = [];
    /** @type {number[]} */
    this.firsts = []; // the first tile of each row
    this.height = 0;
  }

  /** @param {number} width */
  fit(width) {
    this.places = [];
    this.firsts = [];
    let y = 0;
    for (let first = 0; first < this.shapes.length;) {
      let end = first, sum = 0;
      while (end < this.shapes.length && (end === first || width - GAP * (end - first - 1) > sum * this.wanted)) sum += this.shapes[end++];
      const full = (width - GAP * (end - first - 1)) / sum;
      const high = Math.min(this.wanted, full);
      this.firsts.push(first);
      for (let at = first, x = 0; at < end; at += 1) {
        const wide = Math.min(width, high * this.shapes[at]);
        this.places.push({ x, y, width: wide, height: high + this.below, below: this.below });
        x += wide + GAP;
      }
      y += high + this.below + GAP;
      first = end;
    }
    this.height = Math.max(0, y - GAP);
  }

  /** @param {number} number */
  place(number) {
    return this.places[number];
  }

  /** @param {number} top @param {number} bottom */
  range(top, bottom) {
    const rows = this.firsts;
    const first = rows.findLast((one) => this.places[one].y <= top) ?? 0;
    const end = rows.find((one) => this.places[one].y >= bottom) ?? this.places.length;
    return [first, Math.max(first, end)];
  }

  /** @param {number} number @param {number} rows */
  under(number, rows) {
    const middle = this.places[number].x + this.places[number].width / 2;
    const own = this.firsts.findLastIndex((one) => one <= number);
    const row = Math.max(0, Math.min(this.firsts.length - 1, own + rows));
    const end = this.firsts[row + 1] ?? this.places.length;
    let best = this.firsts[row];
    const far = (/** @type {number} */ at) => Math.abs(this.places[at].x + this.places[at].width / 2 - middle);
    for (let at = best; at < end; at += 1) if (far(at) < far(best)) best = at;
    return row === own ? number : best;
  }
}
