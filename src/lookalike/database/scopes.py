"""Scopes of indexing: the folders and files that a user names, and what is excluded from them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from lookalike import data
from lookalike.core.errors import DataError
from lookalike.data import LeavingOut, Rule, Survey, parquet
from lookalike.data.leaving_out import escaped
from lookalike.database.indexing import IndexOptions
from lookalike.store.protocol import Store


def survey(sources: data.Paths, store: Store, options: IndexOptions) -> Survey:
    """The images in folders and files; remembers exclusion globs for the folders.

    Raises `DataError` if there are no images, or none of the sources is reachable.
    """
    scopes = data.scopes(sources)
    known = [scope for scope in scopes if store.any_below(scope)]
    absent = [scope for scope in known if _is_absent(scope)]
    if len(absent) == len(scopes):
        raise DataError(
            f"{absent[0]} no longer exists; remove its images with: lookalike remove {absent[0]} --db {store.location}"
        )
    rules = _new_rules(scopes, store, exclude=options.exclude, include=options.include)
    given = {(rule.folder, rule.glob): rule for rule in [*store.scan_state.rules(), *rules]}
    found = data.survey(
        sources,
        labels_from_folders=options.labels_from_folders,
        limit=options.limit,
        may_be_empty=bool(known),
        leave_out=LeavingOut(given.values()),
        may_be_absent=known,
    )
    if rules:
        with store.transaction():
            store.scan_state.add_rules(rules)
    return found


def _new_rules(scopes: Sequence[str], store: Store, *, exclude: Sequence[str], include: Sequence[str]) -> list[Rule]:
    given = data.rules(scopes, exclude=exclude, include=include)
    before = LeavingOut([*store.scan_state.rules(), *given])
    return [*given, *_named(scopes, store.roots(), before)]


def _named(scopes: Iterable[str], roots: Sequence[str], leave_out: LeavingOut) -> list[Rule]:
    """Rules that include explicitly named paths although their root excludes them."""
    return [
        Rule(root, "/" + escaped(os.path.relpath(scope, root)), True)
        for scope in scopes
        for root in roots
        if scope.startswith(root.rstrip("/") + "/") and leave_out.of_path(root, scope) is not None
    ]


def _is_absent(scope: str) -> bool:
    """Whether neither a path exists nor the table that it is a row of."""
    try:
        os.stat(scope)
    except (FileNotFoundError, NotADirectoryError):
        return not os.path.exists(scope.rpartition("#")[0] or scope)
    except OSError:
        return False
    return False


def in_files(sources: data.Paths | Iterable[Any], table: str | os.PathLike[str] | None) -> data.Paths:
    """Paths, or the table that images which are not in files are written to. Raises `DataError` without a table."""
    if data.are_paths(sources):
        return cast("data.Paths", sources)
    images = cast("Iterable[Any]", sources)
    if table is None:
        raise DataError(
            "these images are not files; name a Parquet file that they are kept in: index(images, "
            'table="images.parquet")'
        )
    parquet.write(Path(table), images)
    return table
