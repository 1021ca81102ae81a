"""The report of `lookalike duplicates` and `lookalike leakage`: groups of copies as one HTML file, and as CSV."""

from __future__ import annotations

import base64
import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lookalike import reports
from lookalike.core import atomic
from lookalike.core.display import printable
from lookalike.core.errors import ConfigError
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.plan import Action
from lookalike.duplicates.request import Match
from lookalike.duplicates.review import Review, words
from lookalike.imaging import thumbnails
from lookalike.store.protocol import Store
from lookalike.store.records import Record
from lookalike.verification.verdict import Verdict

if TYPE_CHECKING:
    from lookalike.duplicates.review import GroupImage

TOGETHER = 1000  # images whose thumbnails are read at once
COLUMNS = (
    "group", "path", "action", "relation", "edits", "words", "verified", "agreement", "inliers", "width", "height",
    "bytes", "loses", "why",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """An image of a group."""

    id: int
    path: str
    action: str  # "keep", "remove", or empty without a proposal
    verdict: Verdict | None  # on the group's first image and this one; None for the first
    words: str  # the verdict in plain words, or why it is kept
    width: int | None  # pixels
    height: int | None
    bytes: int
    loses: str = ""  # what would be lost by removing it
    why: str = ""

    @property
    def folder(self) -> str:
        """The image's folder."""
        return os.path.dirname(self.path)


class _Files(NamedTuple):
    """Paths of a report's files."""

    html: Path | None
    csv: Path | None


def checked(*, html: Path | None, csv: Path | None) -> _Files:
    """The paths of a report. Raises `ConfigError`, before any work, if they are not writable."""
    for option, path in (("--report", html), ("--csv", csv)):
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            raise ConfigError(f"{option} {path} cannot be written; name a file in a folder that exists")
    return _Files(html, csv)


def write(files: _Files, groups: Sequence[Sequence[_Row]], store: Store, *, title: str) -> None:
    """Write groups to the requested files."""
    if files.html is not None:
        _write_html(files.html, groups, store, title=title)
    if files.csv is not None:
        _write_csv(files.csv, groups)


def of_reviews(reviews: Sequence[Review]) -> list[list[_Row]]:
    """Rows of groups of copies, best copy first, with the actions of a plan with default options."""
    actions = {entry.path: entry for group in plans.make(reviews).groups for entry in group.entries}
    found = []
    for review in reviews:
        images = sorted(review.images, key=lambda one: one.record.id != review.best)
        found.append([_row(one, review, actions) for one in images])
    return found


def of_matches(matches: Iterable[Match]) -> list[list[_Row]]:
    """Rows of images that have a copy, grouped by that copy, which comes first."""
    groups: dict[int, list[_Row]] = {}
    for match in matches:
        copied = groups.setdefault(match.copy.id, [_plain(match.copy, None, "in the first part")])
        copied.append(_plain(match.record, match.verdict, words(match.verdict)))
    return list(groups.values())


def _write_html(path: Path, groups: Sequence[Sequence[_Row]], store: Store, *, title: str) -> None:
    """Write groups as one self-contained HTML file."""
    removed = [row for group in groups for row in group if row.action == Action.REMOVE]
    reports.write(
        path, "copies", title=title, groups=groups, pictures=_pictures(groups, store), removed=removed,
        freed=sum(row.bytes for row in removed), images=sum(map(len, groups)),
    )  # fmt: skip


def _write_csv(path: Path, groups: Sequence[Sequence[_Row]]) -> None:
    """Write groups as CSV with the columns `COLUMNS`. Control characters in names are escaped."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(COLUMNS)
    for number, group in enumerate(groups, start=1):
        for row in group:
            known = row.verdict
            seen = ("", "", "", "", "")
            if known is not None:
                edits, is_verified = " ".join(known.edits), "yes" if known.verified else "no"
                seen = (known.relation, edits, is_verified, f"{known.agreement:.4f}", str(known.inliers))
            relation, edits, is_verified, agreement, inliers = seen
            lines.writerow([
                number, printable(row.path), row.action, relation, edits, row.words, is_verified, agreement, inliers,
                row.width or "", row.height or "", row.bytes, row.loses, row.why,
            ])  # fmt: skip
    atomic.write(path, out.getvalue().encode())


def _row(one: GroupImage, review: Review, actions: Mapping[str, plans.Entry]) -> _Row:
    is_best = one.record.id == review.best
    entry = actions.get(one.record.name)
    return _Row(
        id=one.record.id, path=one.record.name, action="keep" if entry is None else str(entry.action),
        verdict=None if is_best else one.verdict, words=f"best: {review.why}" if is_best else one.words,
        width=one.member.width, height=one.member.height, bytes=one.member.size, loses=", ".join(one.loses),
        why=review.why if is_best else "" if entry is None else entry.why,
    )  # fmt: skip


def _plain(record: Record, verdict: Verdict | None, said: str) -> _Row:
    return _Row(
        id=record.id, path=record.name, action="", verdict=verdict, words=said, width=record.width,
        height=record.height, bytes=record.size,
    )  # fmt: skip


def _pictures(groups: Iterable[Sequence[_Row]], store: Store) -> dict[int, str]:
    """Available thumbnails as data URIs, by id."""
    ids = [row.id for group in groups for row in group]
    return dict(_some(ids, store))


def _some(ids: Sequence[int], store: Store) -> Iterator[tuple[int, str]]:
    for start in range(0, len(ids), TOGETHER):
        for id_, content in store.thumbnails(ids[start : start + TOGETHER]).items():
            yield id_, f"data:image/webp;base64,{base64.b64encode(thumbnails.first(content)).decode('ascii')}"
