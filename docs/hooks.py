"""What the website adds to the pages in `docs`: the help of every command, and the files elsewhere that pages link to.

Called by MkDocs, see `mkdocs.yml`. A page links to `../research/README.md`, which works in the repository; on the
website that file is a page of its own, `repo/research/README.md`.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

import typer.testing
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from lookalike.cli import COMMANDS, app

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)#:\s]+)(#[^)\s]*)?\)")
SKIP = re.compile(r"^<!-- skip: [^>]+ -->\n", re.M)
FETCHED = re.compile(
    r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=["']?https?://|@import[^;]*https?://|url\(["']?https?://"""
)
ELSEWHERE = "repo/"
IN_NAV = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "research/reproduction.md")


def on_files(files: Files, config: Any) -> Files:
    """The pages, README as the first of them, and the files that they link to, directly or through each other."""
    waiting = [f"docs/{file.src_uri}" for file in files.documentation_pages()] + ["README.md", *IN_NAV]
    found = set(waiting)
    while waiting:
        name = waiting.pop()
        for link, _ in LINK.findall((ROOT / name).read_text(encoding="utf-8")):
            target = _target(name, link)
            if target not in found and not target.startswith("docs/") and (ROOT / target).is_file():
                found.add(target)
                waiting += [target] if target.endswith(".md") else []
    for name in sorted(found - {"README.md"}):
        if not name.startswith("docs/"):
            files.append(File.generated(config, ELSEWHERE + name, content=(ROOT / name).read_bytes()))
    files.append(File.generated(config, "index.md", content=(ROOT / "README.md").read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with links that work on the website; that of the command line with each command's help."""
    uri = page.file.src_uri
    name = "README.md" if uri == "index.md" else uri.removeprefix(ELSEWHERE) if ELSEWHERE in uri else f"docs/{uri}"
    if uri == "cli.md":
        markdown = re.sub(r"^## lookalike (.*)$", _with_help, markdown, flags=re.M)
    return LINK.sub(lambda link: f"]({_rewritten(uri, name, link[1])}{link[2] or ''})", SKIP.sub("", markdown))


def on_post_build(config: Any) -> None:
    """Refuse a website of which something is fetched from elsewhere when it is read."""
    for path in Path(config["site_dir"]).rglob("*"):
        if path.suffix in (".html", ".css") and (found := FETCHED.search(path.read_text(encoding="utf-8"))):
            raise PluginError(f"{path.name} fetches something from elsewhere: {found[0]}")


def _target(name: str, link: str) -> str:
    """The file that a link in a file leads to, from the root of the repository."""
    return normpath((PurePosixPath(name).parent / link).as_posix())


def _rewritten(uri: str, name: str, link: str) -> str:
    """The same link on the website, from the page at `uri`."""
    target = _target(name, link)
    here = {"README.md": "index.md"}.get(target, target.removeprefix("docs/"))
    return "../" * uri.count("/") + (here if here != target else ELSEWHERE + target)


def _with_help(heading: re.Match[str]) -> str:
    """A heading of one or several commands, and their help below."""
    run = typer.testing.CliRunner().invoke
    commands = [word for word in re.findall(r"\w+", heading[1]) if word in COMMANDS]
    texts = [run(app, [command, "--help"], env={"COLUMNS": "100"}).output.strip() for command in commands]
    return "\n\n".join([heading[0], *(f"```text\n{text}\n```" for text in texts)])
