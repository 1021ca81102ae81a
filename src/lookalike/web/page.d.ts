// Types of the page's JavaScript, for `make js`: the API's answers, under the names that
// schemas.py gives them, and what several modules share. Its names are global.

declare namespace api {
  interface Image {
    id: number;
    name: string;
    path: string;
    label: string | string[] | null;
    width: number | null;
    height: number | null;
    thumbnail: string;
  }

  interface Hit extends Image {
    relation: string;
    distance: number;
    done: string;
    edits: string[];
    transform: number[] | null;
    verified: boolean;
  }

  interface Comparison {
    relation: string;
    done: string;
    edits: string[];
    transform: number[] | null;
    verified: boolean;
    loses_a: string[];
    loses_b: string[];
  }

  interface Asked {
    code: string;
    id: number | null;
    width: number | null;
    height: number | null;
    format: string | null;
  }

  interface Answer {
    query: Asked;
    hits: Hit[];
    images: number;
    unverified: number;
    seconds: number;
    error?: string | null; // why a file could not be searched for
  }

  interface Details extends Image {
    code: string | null;
    size: number;
    format: string | null;
    taken?: string | null;
    camera?: string | null;
    place?: number[] | null;
    software?: string | null;
    depth?: number | null;
    frames?: number | null;
    lossless?: boolean | null;
  }

  interface Progress {
    done: number;
    total: number;
  }

  interface Rate {
    count: number;
    total: number;
    high: number;
  }

  interface Calibrated {
    at: number;
    images: number;
    per_query: Rate | null;
    copies: Record<string, Rate>;
  }

  interface Info {
    bits: number;
    images: number;
    roots: string[];
    trained_on: string;
    near: number;
    duplicate: number;
    similar: number;
    calibration: Calibrated | null;
    write: boolean;
    max_body: number;
  }

  interface Map {
    ids: number[];
    x: number[];
    y: number[];
    labels: string[];
    label: number[];
    total: number;
    fresh: boolean;
  }

  interface Balance {
    balance: number[];
    constant: number;
    correlation: number;
    effective: number;
    images: number;
  }

  interface Model {
    name: string;
    card: string;
    about: About;
    theta: number[] | null;
    use: Balance | null;
  }

  // Parts of them

  // What a model file says of itself; older files say less.
  interface About {
    model?: string;
    supervised?: boolean;
    epochs?: number;
    seed?: number;
    image?: { side?: number; colour?: boolean };
    versions?: Record<string, string>;
  }
}

// What to search for, as it is drawn and compared: an image of the collection, a file, or a code alone.
interface Shown {
  name: string;
  url?: string | null;
  path?: string;
  label?: string | string[] | null;
  width?: number | null;
  height?: number | null;
  format?: string | null;
  size?: number;
  taken?: string | null;
  camera?: string | null;
  place?: number[] | null; // degrees north and east
  software?: string | null;
  depth?: number | null; // bits a channel
  frames?: number | null;
  lossless?: boolean | null;
  loses?: string[]; // what only this copy has
}

// A member of a group or a hit, as it is compared.
interface Compared extends api.Image {
  relation?: string;
  done?: string;
  edits?: string[];
  verified?: boolean;
  transform?: number[] | null;
}

interface Box {
  node: HTMLElement;
  shape: number; // width by height
}

// The attributes of an element; see make() in dom.js.
interface Given {
  text?: string | number | null;
  on?: Record<string, (event: any) => unknown>;
  style?: Record<string, string>;
  data?: Record<string, string | number>;
  [attribute: string]: any;
}

type Child = Node | string | null | undefined;
type Tab = "search" | "cleanup" | "scenes" | "browse" | "map" | "care" | "settings";
type Values = Record<string, string | number | boolean | null | undefined>;
type Point = [number, number];
