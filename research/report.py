"""The report: the paper's tables and figures with our measurements, as Markdown and as one HTML page.

The text is `report.md`; a line `<!-- name -->` in it is replaced by a table, figure or paragraph. The Markdown page
links to the figure files; the HTML page embeds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from lookalike import reports
from lookalike.core.errors import MissingExtra
from lookalike.training.files import write_aside
from research import claims, comparison_tables, explanations, figures, published, tables
from research.experiments import EXPLAINED, METHOD_NAMES
from research.results import Result, load, select
from research.tables import Table

FOLDER = "pictures"  # of the figures, next to the page
MARK = re.compile(r"^<!-- ([\w-]+) -->$", re.MULTILINE)
PICTURE = re.compile(r'<img src="' + FOLDER + r'/([\w.-]+)" alt="[^"]*" ?/>')
TITLE = re.compile(r"<h1>.*?</h1>\s*")  # the page template has a heading of its own


def write(results_folder: Path, page: Path, *, protocol: str = "paper") -> list[Path]:
    """Write the page, its HTML version and its figures, and return their paths.

    `protocol` is that of the paper's models; the other methods are shown for each of their protocols.
    """
    everything = load(results_folder)
    results = [one for one in everything if one.model in published.MODELS and one.protocol == protocol]
    pixels = [one for one in everything if one.model in tables.OTHERS and one.protocol == protocol]
    methods = [one for one in everything if one.model in METHOD_NAMES]
    page.parent.mkdir(parents=True, exist_ok=True)
    captions = figures.draw_all(results, page.parent / FOLDER)
    markdown = fill(results, captions, methods=methods, pixels=pixels)
    write_aside(page, markdown.encode())
    twin = page.with_suffix(".html")
    write_aside(twin, to_html(markdown, page.parent / FOLDER).encode())
    return [page, twin, *(page.parent / FOLDER / name for name in captions)]


def fill(
    results: Sequence[Result], captions: dict[str, str], *, methods: Sequence[Result] = (),
    pixels: Sequence[Result] = (),
) -> str:  # fmt: skip
    """The text with every mark replaced: by `results` of the paper's models; `methods` and `pixels` for comparison."""
    by_paper = [one for one in methods if one.protocol == "paper"]
    made: dict[str, Callable[[], str]] = {
        "runs": lambda: _runs(results),
        "claims": lambda: claims.claims(results).markdown(),
        "hard_labels": lambda: claims.hard_labels().markdown(),
        "table_1": lambda: _all(tables.table_1([*results, *pixels])),
        "table_2": lambda: _all(tables.table_2([*results, *pixels])),
        "table_3": lambda: tables.table_3([*results, *by_paper]).markdown(),
        "compared": lambda: _all(comparison_tables.tables(methods)),
        "nested": lambda: comparison_tables.nested(methods).markdown(),
        "nested_losses": lambda: comparison_tables.nested_losses(methods),
        "shortfalls": lambda: comparison_tables.shortfalls(methods),
        "reconstruction": lambda: tables.reconstruction(results).markdown(),
        "against_pca": lambda: tables.against_pca([*results, *pixels]).markdown(),
        "use_of_bits": lambda: tables.use_of_bits(results).markdown(),
        "convergence": lambda: tables.convergence(results),
        "why": lambda: _why(results),
        "by_length": lambda: _by_length(results),
    }

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name in made:
            return made[name]().strip()
        caption = captions.get(f"{name}.svg")
        return (
            f"![{caption}]({FOLDER}/{name}.svg)\n\n*{caption}*" if caption else "Not run yet: `python -m research run`"
        )

    text = (files("research") / "report.md").read_text(encoding="utf-8")
    return MARK.sub(replace, text).rstrip() + "\n"


def to_html(markdown: str, folder: Path) -> str:
    """A Markdown text as a single HTML page with embedded figures."""
    try:
        from markdown_it import MarkdownIt
    except ModuleNotFoundError as error:
        raise MissingExtra("The HTML report needs markdown-it-py", "research") from error
    body = MarkdownIt("commonmark").enable("table").render(markdown)
    body = PICTURE.sub(lambda match: inlined(folder / match[1]), TITLE.sub("", body))
    return reports.render("text", title="Reproduction", body=Markup(body))


def inlined(path: Path) -> str:
    """A figure as inline SVG, with ids prefixed by its file name, since figures share ids."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    return re.sub(r'(id="|"#|url\(#)', lambda m: m[1] + path.stem + "-", text)


def _runs(results: Sequence[Result]) -> str:
    if not results:
        return "There are no results yet: `python -m research run` makes them."
    epochs, seeds = ({getattr(one, name) for one in results} for name in ("epochs", "seed"))
    hours = sum(one.number("seconds", name) for one in results for name in ("training", "rest")) / 3600
    cores = sorted({one.values["environment"]["cores"] for one in results})
    torch = sorted({one.values["environment"]["versions"]["torch"] for one in results})
    devices = sorted({one.values["settings"]["device"] for one in results})
    return (
        f"{len(results)} runs of {_listed(sorted(epochs))} epochs, seed {_listed(sorted(seeds))}, {hours:.1f} hours in "
        f"all on {_listed(devices)} ({_listed(cores)} cores, torch {_listed(torch)})."
    )


def _why(results: Sequence[Result]) -> str:
    """Table of each explanation's figures for our codes of CIFAR-10, 64 bits, and for meaningless codes."""
    runs = [one for model in EXPLAINED for one in select(results, dataset="cifar10", model=model, bits=64)[:1]]
    if not runs:
        return "Not run yet: `python -m research run --dataset cifar10 --bits 64`"
    ours = {published.TITLES[run.model]: explanations.collection(run) for run in runs}
    found = explanations.explain(ours | explanations.without_meaning(next(iter(ours.values()))))
    printed = {
        published.TITLES[run.model]: published.of("table_1", run.model, "map", dataset="cifar10", bits=64) or 0
        for run in runs
    }
    rows = [
        (one.name, one.what, *(_marked(value, printed.get(name)) for name, value in figures_of.items()))
        for one, figures_of in found
    ]
    said = ("published mAP", "", *(f"{value:.3f}" for value in printed.values()), "", "")
    reached = [one.name for one, by in found if all(explanations.is_close(by[name], printed[name]) for name in ours)]
    table = Table("The same codes by other rules", ("explanation", "rule", *found[0][1]), (said, *rows))
    return table.markdown() + (
        f"\nWithin {explanations.CLOSE} of the published figure for all four models: {_listed(reached) or 'none'}."
    )


def _by_length(results: Sequence[Result]) -> str:
    """Table of published mAP on CIFAR-10 by length, and of the mAP if each query finds itself."""
    rows = []
    for model in EXPLAINED:
        for bits in published.bits_of("table_1"):
            printed = published.of("table_1", model, "map", dataset="cifar10", bits=bits)
            found = select(results, dataset="cifar10", model=model, bits=bits)[:1]
            figures_of = explanations.by_length(explanations.collection(found[0])) if found else ("not run yet",) * 3
            cells = [value if isinstance(value, str) else f"{value:.3f}" for value in figures_of]
            rows.append((published.TITLES[model], str(bits), f"{printed:.3f}", *cells))
    header = ("model", "bits", "published mAP", "finding itself first", "for random codes", "honest mAP")
    return Table("Each query in the database, only the first hit counts", header, tuple(rows)).markdown()


def _marked(figure: float | None, printed: float | None) -> str:
    if figure is None:
        return "–"
    return f"**{figure:.3f}**" if printed is not None and explanations.is_close(figure, printed) else f"{figure:.3f}"


def _all(several: Sequence[Table]) -> str:
    return "\n".join(table.markdown() for table in several)


def _listed(values: Sequence[object]) -> str:
    words = [str(value) for value in values]
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] if words else ""
