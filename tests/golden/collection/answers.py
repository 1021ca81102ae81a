"""What this version of lookalike says about the golden collection, by the command line, HTTP and Python.

Nothing below imports an inner module of lookalike, so modules can move without a change here.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import lookalike
from lookalike.__main__ import main
from tests.golden.collection.make import INDEXED
from tests.golden.collection.model import MODEL

Answers = dict[str, Any]
Codes = Mapping[str, str]  # hexadecimal digits by path
SOME = ("blobs", "chelsea", "coffee", "color", "rocket")  # labels in the smaller database
PATIENCE = 300  # seconds for what the server does in the background


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in the collection's folder, with a cache of its own, whatever a person has set."""
    before, settings = Path.cwd(), dict(os.environ)
    os.environ.pop("LOOKALIKE_DB", None)
    os.environ["LOOKALIKE_CACHE"] = os.fspath(folder / "cache")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(settings)


def run(command: str, *more: str | Path, code: int = 0) -> str:
    """What a command prints on stdout; it must end with the exit code."""
    out, err = io.StringIO(), io.StringIO()
    arguments = ["lookalike", *command.split(), *(os.fspath(word) for word in more)]
    before, ended = sys.argv, None
    with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv = arguments
        try:
            main()
        except SystemExit as end:
            ended = int(end.code or 0)
        finally:
            sys.argv = before
    assert ended == code, f"{' '.join(arguments)} ended with {ended}, not {code}: {err.getvalue()}"
    return out.getvalue()


def said(command: str, *more: str | Path, code: int = 0) -> list[Any]:
    """The lines of JSON that a command prints."""
    name, _, options = command.partition(" ")
    return [json.loads(line) for line in run(f"{name} --json {options}", *more, code=code).splitlines()]


def default_codes() -> dict[str, str]:
    """Codes by the built-in model of all that can be read, by path."""
    return {one["path"]: one["code"] for one in said("encode --no-isolation", *INDEXED, code=1)}


def answers(folder: Path, default: Codes) -> Answers:
    """All that is compared byte by byte, by part. `default`: the stored codes of the built-in model."""
    parts: Answers = {"index": _indexed("db")}
    parts["export"] = _exported()
    parts["neighbours"], parts["neighbour-relations"] = _neighbours()
    parts["search"] = {options: _hits(options, where) for options, where in SEARCHES.items()}
    parts["duplicates"] = {options: _groups(options) for options in DUPLICATES}
    parts["best-copies"] = said("duplicates --db db")
    parts["leakage"] = {options: said(f"duplicates --db db --between {options}") for options in LEAKAGE}
    parts["evaluate"] = {options: said(f"evaluate --db db {options}") for options in EVALUATE}
    parts["python"] = _python()
    parts["imported"] = _imported(default)
    labels = {path.name for path in Path("library").iterdir()} - set(SOME)
    excluded = [word for label in sorted(labels) for word in ("--exclude", label)]
    parts["some"] = _indexed("some", *excluded)
    parts["calibrate"] = _calibrated()
    with _server("some") as client:
        parts["http"] = _asked(client, folder)
    parts["plans"] = _plans()
    return parts


ALL, SOME_QUERIES = ("queries",), ("queries/astronaut", "queries/chelsea", "queries/page", "queries/waves")
SEARCHES = {  # options and queries
    "--top 5": ALL,
    "--radius 12 --top 1000 --no-isolation": SOME_QUERIES,
    "--top 3 --no-verify --no-isolation": ALL,
    "--top 4 --asymmetric --no-isolation": SOME_QUERIES,
    "--top 4 --label chelsea --no-isolation": SOME_QUERIES,
    "--top 4 --below exports --no-isolation": SOME_QUERIES,
    "--top 2 --since 2100-01-01 --no-isolation": SOME_QUERIES,
    "--radius 16 --top 1000 --engine scan --no-isolation": SOME_QUERIES,
}
DUPLICATES = (
    "--quick --radius 4",
    "--quick --radius 12",
    "--quick --radius 12 --by-code",
    "--quick --plain",
    "--quick --turned",
    "--quick --against library",
    "--quick --radius 14 --against exports --against inbox",
    "--quick --prefer not-folder=library --prefer largest",
)
LEAKAGE = (
    "library exports",
    "library inbox --quick --by-code --radius 12",
    "chelsea rocket --quick --radius 20 --by-code",
)
EVALUATE = ("", "--queries queries")


def _hits(options: str, queries: Sequence[str]) -> list[Any]:
    """Per query the hits, without what each line would repeat."""
    found: dict[str, list[Any]] = {}
    for hit in said(f"search --db db {options}", *queries):
        more = (round(hit["weighted_distance"], 3),) if "weighted_distance" in hit else ()
        values = [hit["relation"], hit["edits"], hit["verified"], hit["distance"], hit["path"], hit["label"], *more]
        found.setdefault(hit["query"], []).append(values)
    return [{"query": query, "hits": hits} for query, hits in found.items()]


def _groups(options: str) -> list[Any]:
    """The groups, with what other options can change."""
    found = said(f"duplicates --db db {options}")
    return [
        {
            "best": group["best"],
            "images": [
                [one["distance"], one["tier"], one["path"], *([one["orientation"]] if "orientation" in one else ())]
                for one in group["images"]
            ],
        }
        for group in found
    ]


def _indexed(db: str, *options: str) -> Answers:
    """What a database holds; reasons and findings are for people, so they are not compared word by word."""
    (first,) = said(f"index --db {db} --labels-from-folders --model", MODEL, *INDEXED, *options)
    (again,) = said(f"index --db {db} --labels-from-folders", *INDEXED)
    for report in (first, again):
        report["problems"] = sorted(name for name, _ in report["problems"])
        report["encoded"] += report.pop("copied")  # two equal files may be read at once: then both are encoded
    paths = run(f"info --db {db} --paths").splitlines()
    found = [[one["ok"], one["repaired"]] for one in said(f"verify --db {db}")]
    return {"index": first, "again": again, "info": said(f"info --db {db}"), "paths": paths, "verify": found}


def _exported() -> Answers:
    run("export --db db codes.parquet")
    run("export --db db codes.npy")
    rows = pq.read_table("codes.parquet").to_pylist()
    known = [[value.hex() if isinstance(value, bytes) else value for value in row.values()] for row in rows]
    codes_NW = np.load("codes.npy")
    assert [row["code"] for row in rows] == [code_W.tobytes() for code_W in codes_NW]
    return {"columns": list(rows[0]), "rows": known}


def _neighbours() -> tuple[list[Any], list[Any]]:
    """The nearest images of each, and what those are that were verified."""
    run("neighbours --db db graph.parquet --top 2")
    run("neighbours --db db graph.npy --top 2")
    rows, graph_NT2 = pq.read_table("graph.parquet").to_pylist(), np.load("graph.npy")
    assert [row["neighbours"] for row in rows] == graph_NT2[:, :, 0].tolist()
    names = [row["path"] for row in rows]
    relations = [
        [name, names[other], relation]
        for name, row in zip(names, rows, strict=True)
        for other, relation, verified in zip(row["neighbours"], row.pop("relations"), row.pop("verified"), strict=True)
        if verified
    ]
    return [list(row.values()) for row in rows], relations


def _python() -> Answers:
    """The Python API: pixels, codes, hits."""
    hasher = lookalike.Hasher.load(MODEL)
    names = sorted(os.fspath(path) for path in Path("queries").rglob("*.*"))
    odd = sorted(os.fspath(path) for path in Path("inbox").glob("*") if "-" in path.name and path.suffix != ".txt")
    spec = lookalike.ImageSpec(side=96, colour=True)
    pixels: dict[str, str] = {}
    for name in odd:
        try:
            pixels[name] = hashlib.blake2b(lookalike.read(name, spec).tobytes(), digest_size=8).hexdigest()
        except lookalike.LookalikeError:
            pixels[name] = "an error"
    codes_NW = hasher.encode(names)
    with lookalike.Database.open("db") as database:
        hits = {name: [[hit.path, hit.distance] for hit in database.search(name, top=3)] for name in names[:6]}
        groups = [[[one.path, one.distance] for one in group] for group in database.duplicates(radius=6)]
    codes = {name: code_W.tobytes().hex() for name, code_W in zip(names, codes_NW, strict=True)}
    return {"pixels": pixels, "codes": codes, "hits": hits, "groups": groups}


def _imported(default: Codes) -> Answers:
    """The stored codes of the built-in model, imported with labels, so that no processor's rounding counts."""
    paths = sorted(default)
    labels = [path.split("/")[1] if path.count("/") == 2 else None for path in paths]
    columns: dict[str, list[Any]] = {
        "code": [bytes.fromhex(default[path]) for path in paths],
        "path": paths,
        "label": labels,
    }
    pq.write_table(pa.table(columns), "default.parquet")
    run("import default.parquet --db imported")
    of_label = [row for row, label in enumerate(labels) if label]
    codes_NW = np.array([list(columns["code"][row]) for row in of_label], np.uint8)
    names = sorted({label for label in labels if label})
    np.savez("default.npz", codes=codes_NW, labels=np.array([names.index(str(labels[row])) for row in of_label]))
    return {
        "info": said("info --db imported"),
        "duplicates": said("duplicates --db imported --by-code --quick --radius 9"),
        "evaluate": said("evaluate --db imported"),
        "evaluate codes": said("evaluate --codes default.npz"),
    }


def _calibrated() -> Answers:
    """Rates measured on the smaller database, which then forgets them."""
    measured = said("calibrate --db some --images 4 --suspected suspected.tsv")
    found = {
        "measured": measured,
        "suspected": [line.split("\t") for line in Path("suspected.tsv").read_text().splitlines()],
        "info": said("info --db some"),
    }
    run("calibrate --db some --forget")
    return found


def _plans() -> Answers:
    """Plans of the smaller database, about which something was decided; one is carried out and undone."""
    run("duplicates --db some --plan plan.json --quick")
    run("duplicates --db some --plan plan.csv --near --radius 10")
    parts: Answers = {"quick": json.loads(Path("plan.json").read_text()), "near": _rows(Path("plan.csv").read_text())}
    parts["groups"] = said("duplicates --db some --quick --radius 10")
    parts["groups, with different ones"] = said("duplicates --db some --quick --radius 10 --all")
    before = _digests()
    parts["dry run"] = said("duplicates --db some --apply plan.csv --trash trash --dry-run")
    parts["apply"] = said("duplicates --db some --apply plan.csv --trash trash")
    parts["info"] = said("info --db some")
    parts["undo"] = said("duplicates --db some --undo plan.csv.undo.jsonl")
    assert _digests() == before, "undo does not restore all files"
    parts["in the end"] = _indexed("some")
    return parts


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def _digests() -> dict[str, str]:
    files = (path for name in INDEXED for path in Path(name).rglob("*") if path.is_file())
    return {os.fspath(path): hashlib.blake2b(path.read_bytes()).hexdigest() for path in files}


@contextlib.contextmanager
def _server(db: str) -> Iterator[httpx.Client]:
    """Someone who asks a real server of its own process."""
    source = os.fspath(Path(lookalike.__file__).parents[1])
    command = [sys.executable, "-m", "lookalike", "serve", "--db", db, "--port", "0", "--write"]
    environment = os.environ | {"PYTHONPATH": source}
    with open("server.log", "w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url, Path("server.log").read_text()
        with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
            yield client
    finally:
        server.terminate()
        server.communicate(timeout=PATIENCE)


def _asked(client: httpx.Client, folder: Path) -> Answers:
    """The answers of the routes, in the order in which a person would ask."""
    parts: Answers = {route: _get(client, route) for route in ROUTES}
    query = Path("queries/chelsea/17-warm.webp")
    for options in API_SEARCHES:
        parts[f"search file {json.dumps(options)}"] = _searched(_post(client, "/api/search", data=options, file=query))
    for asked in API_QUERIES:
        parts[f"search {json.dumps(asked)}"] = _searched(_post(client, "/api/search", json=asked))
    below = {"id": 9, "top": 3, "below": os.fspath(folder / "inbox")}
    parts["search below"] = _searched(_post(client, "/api/search", json=below))
    parts["encode"] = _post(client, "/api/encode", data={}, file=query)
    first = _get(client, "/api/images?sort=name&top=5")
    parts["page 1"], parts["page 2"] = first, _get(client, f"/api/images?sort=name&top=5&cursor={first['next']}")
    parts["groups"] = groups = _found(client, "/api/duplicates?top=200&radius=8")
    parts["decisions"] = [_post(client, "/api/decisions", json=decision) for decision in _decisions(groups)]
    parts["decided"] = _get(client, "/api/decisions")
    parts["groups decided"] = _found(client, "/api/duplicates?top=200&radius=8")
    parts["groups later"] = _found(client, "/api/duplicates?radius=8&state=later")
    for more in ("", "&near=true&allow_metadata_loss=true"):
        parts[f"plan {more}"] = _rows(_found(client, f"/api/duplicates/plan?radius=8&format=csv{more}"))
    parts["undone"] = client.delete(f"/api/decisions/{parts['decided']['decisions'][0]['id']}").status_code
    parts["decided after that"] = _get(client, "/api/decisions")
    parts["errors"] = {route: client.get(route).status_code for route in WRONG}
    return parts


ROUTES = (
    "/api/info", "/api/labels", "/api/model", "/status", "/status/live", "/api/images?top=200",
    "/api/images?label=coffee&top=4", "/api/images?sort=random&seed=3&top=6", "/api/images/1", "/api/images/80",
)  # fmt: skip
WRONG = ("/api/images/9999", "/api/none", "/api/images?sort=x")
API_SEARCHES: tuple[dict[str, str], ...] = (
    {"top": "4"}, {"top": "200", "radius": "14"}, {"top": "3", "verify": "false"}, {"top": "3", "asymmetric": "true"},
    {"top": "3", "label": "coffee"},
)  # fmt: skip
API_QUERIES: tuple[dict[str, Any], ...] = (
    {"id": 3, "top": 4}, {"id": 12, "radius": 12}, {"code": "05416fd91f6d6fe5", "top": 4},
)  # fmt: skip


def _searched(answer: Any) -> Any:
    """The answer of a search, without evidence whose last digits depend on the machine."""
    for hit in answer["hits"]:
        for name in ("inliers", "agreement", "transform", "done"):
            del hit[name]
    return answer


def _get(client: httpx.Client, route: str) -> Any:
    answer = client.get(route)
    assert answer.status_code == 200, f"{route}: {answer.text}"
    return answer.json()


def _post(client: httpx.Client, route: str, *, file: Path | None = None, **sent: Any) -> Any:
    files = {"file": (file.name, file.read_bytes())} if file else None
    answer = client.post(route, files=files, **sent)
    assert answer.status_code in (200, 201), f"{route}: {answer.text}"
    return answer.json()


def _found(client: httpx.Client, route: str) -> Any:
    """The answer of a route that works in the background, once all of it is done."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = client.get(route)
        assert answer.status_code in (200, 202), f"{route}: {answer.text}"
        if answer.status_code == 200:
            if "json" not in answer.headers["content-type"]:
                return answer.text
            found = answer.json()
            if found["fresh"] and found["pixels"]:
                return found
        time.sleep(0.05)
    raise AssertionError(f"{route} was not done in {PATIENCE} seconds")


def _decisions(found: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """One of each kind, about the first groups, the largest and those of copies that are not of the same bytes."""
    groups = [group for group in found["groups"] if all(image["tier"] != "same bytes" for image in group["images"])]
    ids = [[image["id"] for image in group["images"]] for group in groups]
    return (
        {"kind": "keep", "images": ids[0], "chosen": ids[0][-1:]},
        {"kind": "different", "images": ids[1]},
        {"kind": "different", "images": ids[2], "chosen": ids[2][:1]},
        {"kind": "later", "images": ids[3]},
    )
