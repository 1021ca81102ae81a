// Types of the API's answers about cleaning up, under the names that answers.py gives them; see page.d.ts.

declare namespace api {
  type GroupState = "undecided" | "decided" | "skipped";
  type DecisionKind = "keep" | "remove" | "not-duplicates" | "skip";

  interface GroupImage extends Image {
    folder: string;
    size: number;
    format: string | null;
    action: "keep" | "remove";
    loses: string[];
    relation: string;
    words: string;
  }

  interface Group {
    id: number;
    images: GroupImage[];
    best: number;
    why: string;
    state: GroupState;
    decision: number | null;
    freed: number;
  }

  interface Groups {
    items: Group[];
    total: number;
    next: string | null;
    states: Record<GroupState, number>;
    removable: number;
    freed: number;
    relations: Record<string, number>;
    same_scene: number;
    by_code: number;
    pixels: boolean;
    fresh: boolean;
  }

  interface Scene {
    images: Image[];
    best: number;
    why: string;
  }

  interface Scenes {
    items: Scene[];
    total: number;
    next: string | null;
  }

  interface DecidedImage {
    id: number | null;
    path: string;
    part: number;
  }

  interface Decision {
    id: number;
    kind: DecisionKind;
    at: string;
    images: DecidedImage[];
  }

  interface Decisions {
    items: Decision[];
    total: number;
    next: string | null;
  }

  interface PlanFile {
    path: string;
    size: number;
    why: string;
  }

  interface Plan {
    id: string;
    count: number;
    bytes: number;
    companions: number;
    spared: number;
    trash: string;
    checked: boolean;
    job: string;
    refused: { path: string; why: string }[];
    sample: PlanFile[];
  }

  interface Run {
    id: string;
    at: string;
    trash: string;
    files: number; // in the trash now
    bytes: number;
    count: number;
    state: "running" | "interrupted" | "applied" | "partly-undone" | "undone";
    job: string | null;
  }

  interface RunFile {
    path: string;
    to: string;
    size: number;
    in_trash: boolean;
  }

  interface Job {
    id: string;
    kind: "index" | "calibration" | "check" | "apply" | "undo";
    state: "waiting" | "running" | "paused" | "done" | "failed" | "stopped" | "interrupted";
    stage: string;
    done: number;
    total: number | null;
    error: string | null;
    result: Record<string, unknown> | null;
    at: string;
    about: string;
  }

  interface Trouble {
    id: number | null;
    path: string;
    kind: "unreadable" | "missing" | "out-of-reach" | "plain";
    images: number;
    reason: string;
    remedy: string;
  }

  interface Troubles {
    items: Trouble[];
    counts: Record<string, number>;
    next: string | null;
  }

  interface Info {
    database_id: string;
    trash: string | null;
    roots_to_index: string[];
  }
}
