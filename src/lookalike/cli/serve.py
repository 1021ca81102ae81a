from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lookalike.cli import options, terminal

if TYPE_CHECKING:
    from lookalike.database import Database

MAX_PIXELS = 100_000_000  # of an uploaded image
MEBIBYTE = 1 << 20


def command(
    db: options.Db,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; others than localhost need a --token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 finds a free one.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar="LOOKALIKE_TOKEN", help="Access token that clients must send."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Let clients change the database.")] = False,
    trash: Annotated[
        Path | None, typer.Option("--trash", metavar="FOLDER", help="With --write: move removed files here.")
    ] = None,
    audit: Annotated[
        Path | None, typer.Option("--audit", metavar="FILE", help="Log every answer of /match, as a JSON line.")
    ] = None,
    root: Annotated[
        list[Path] | None,
        typer.Option("--root", metavar="FOLDER", help="With --write: allow indexing below FOLDER; repeatable."),
    ] = None,
    hide_paths: Annotated[
        bool, typer.Option("--hide-paths", help="Hide the parent folders of indexed folders.")
    ] = False,
    prefer: options.Prefer = None,
    cors: Annotated[
        list[str] | None,
        typer.Option("--cors", metavar="ORIGIN", help="Origin whose pages may use the API; repeatable."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="Another host name of this server; repeatable."),
    ] = None,
    processes: Annotated[int, typer.Option("--processes", min=1, max=64, help="Number of answering processes.")] = 1,
    max_pixels: options.MaxPixels = MAX_PIXELS,
    max_upload: Annotated[int, typer.Option("--max-upload", min=1, max=1024, help="Maximum MiB per request.")] = 64,
) -> None:
    """Serve a search page and an HTTP API, until Ctrl-C.

    It listens on localhost only, by default.
    """
    from lookalike import opening

    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)  # inherited from the parent, it would mix both programs' metrics
    try:
        from lookalike.duplicates.cleanup import best_copy
        from lookalike.duplicates.cleanup import trash as trashes
        from lookalike.web.http import security, serving
        from lookalike.web.http.settings import Settings
    except ImportError as error:
        from lookalike.core.errors import MissingExtra

        raise MissingExtra(f"Serving needs FastAPI and uvicorn ({error})", "serve") from error

    if (trash is not None or root) and not write:
        raise typer.BadParameter("--trash and --root need --write")
    for one in root or ():
        if not one.is_dir():
            raise typer.BadParameter(f"--root {one} is not a folder")
    for rule in prefer or ():
        best_copy.preference(rule)  # fail early for an unknown rule
    if token is not None:
        security.check_token(token)
    names = tuple(name.lower() for name in allow_host or ())
    settings = Settings(
        host=host, token=token or "", names=names, cors=tuple(cors or ()), write=write, prefer=tuple(prefer or ()),
        audit=None if audit is None else audit.absolute(),
        trash=None if trash is None else trash.absolute(), roots=tuple(str(one.absolute()) for one in root or ()),
        hide_paths=hide_paths, max_pixels=max_pixels,
        max_body=max_upload * MEBIBYTE,
    )  # fmt: skip
    security.check(settings)
    with serving.bind(host, port) as listening:
        with opening.open(db) as database:
            count = _count(database, db)
            trashes.check(trash, database.store.roots())
        typer.echo(serving.url(listening, host, token=token or ""))
        terminal.say(f"{terminal.count(count, 'image')}; open the address above in a browser; Ctrl-C stops")
        serving.run(db, settings, listening, processes=processes)
    terminal.say("Stopped")


def _count(database: Database, db: str) -> int:
    """Number of images; warns if there are none. Raises `DatabaseError` if the model is missing."""
    _ = database.hasher
    count = len(database)
    if not count:
        terminal.say_empty(db)
    return count
