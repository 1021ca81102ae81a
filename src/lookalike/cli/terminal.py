"""Terminal output: messages, progress, and the formats of results."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import typer

from lookalike.core import display
from lookalike.core.errors import DataError, ImageError, LookalikeError

if TYPE_CHECKING:
    from lookalike.core.progress import Progress
    from lookalike.imaging.isolation.decoders import Source
    from lookalike.store.scan_state import Unreachable

Read = TypeVar("Read")

SHOWN = 10  # problems listed one by one
COUNTED = 10_000  # counting of excluded files stops here, as in `data.leaving_out`
UNSEEN = "the thumbnail is missing or not enough, and the file is out of reach"  # why images cannot be verified
NOT_LISTED = ("hidden", "databases")  # excluded, but not worth mentioning


def echo_json(value: Any) -> None:
    """Print a value or dataclass as one line of JSON."""
    typer.echo(json.dumps(dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value))  # type: ignore[arg-type]


def count(number: int, what: str, several: str = "") -> str:
    """A number with its noun.

    >>> count(1, "image"), count(2, "image"), count(2, "query", "queries")
    ('1 image', '2 images', '2 queries')
    """
    return f"{number} {what if number == 1 else several or what + 's'}"


def say(text: str) -> None:
    """Print a message to stderr, with control characters escaped."""
    typer.echo(display.printable(text, but="\n\t"), err=True)


def say_error(error: Exception) -> None:
    """Print an error in one line."""
    text = str(error)
    if isinstance(error, OSError):
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    say(f"lookalike: {' '.join(text.split())}")


def shown(path: str | os.PathLike[str]) -> str:
    """A path for stdout: escaped on a terminal, otherwise unchanged, because programs may need its bytes."""
    return display.printable(os.fspath(path)) if sys.stdout.isatty() else os.fspath(path)


class _Escaped:
    """A terminal's stdout with control characters escaped, whatever names, labels and files contain."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text with control characters escaped, except line feeds and tabs."""
        if not isinstance(text, str):
            raise TypeError("expected text, not bytes")
        self._stream.write(display.printable(text, but="\n\t"))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def escape_stdout() -> None:
    """Escape everything printed to a terminal; files and pipes stay unchanged."""
    if sys.stdout.isatty():
        sys.stdout = _Escaped(sys.stdout)


@contextmanager
def stages() -> Iterator[Progress]:
    """Progress with one bar per stage, on terminals only."""
    from tqdm import tqdm

    silent = not sys.stderr.isatty()
    bars: dict[str, tqdm] = {}
    with ExitStack() as stack:

        def show(stage: str, done: int, total: int | None) -> None:
            if silent:
                return
            if stage not in bars:
                stack.close()
                bars.clear()
                bars[stage] = stack.enter_context(
                    tqdm(desc=stage, unit="", unit_scale=True, leave=False, mininterval=0.2)
                )
            bars[stage].total = total
            bars[stage].update(done - bars[stage].n)

        yield show


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Hide C libraries' messages about damaged images; errors name those files anyway.

    At every moment `sys.stderr` reaches the user, so that Ctrl-C can always be reported.
    """
    python_stderr = sys.stderr
    python_stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        if _is_fd_2(python_stderr):
            sys.stderr = open(os.dup(kept), "w", buffering=1, errors="surrogateescape")  # noqa: SIM115 closed below
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        loud, sys.stderr = sys.stderr, python_stderr
        if loud is not python_stderr:
            loud.close()
        os.close(kept)
        os.close(nowhere)


def _is_fd_2(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == 2)
    except (AttributeError, OSError):
        return False


def read_images(
    images: Sequence[str], read: Callable[[Source], Read], problems: list[tuple[str, str]]
) -> Iterator[tuple[str, Read | None]]:
    """Images named on the command line: paths as the user would write them, and the result of `read` for each.

    For an unreadable image, the result is None, and the image is added to the problems.
    """
    for named in images:
        if not os.path.exists(named) and "#" not in named:  # before any work; a table's row is checked below
            raise DataError(f"{named} does not exist; name a folder, files or a Parquet file")
    from lookalike import data

    for named in images:
        start = len(os.path.abspath(named))
        for item in data.find(named):
            path, found = named.rstrip("/") + item.name[start:], None
            try:
                found = read(data.source(item))
            except (ImageError, OSError) as error:
                problems.append((path, getattr(error, "strerror", None) or str(error)))
            yield path, found


def say_empty(db: str) -> None:
    """Tell that a database is empty, and how to fill it."""
    say(f"{db} has no images; add some with: lookalike index IMAGES --db {db}")


def name_problems(problems: Sequence[tuple[str, str]], *, more: str) -> None:
    """List unreadable files: the first damaged images, the number of other files, and how to see all."""
    from lookalike.imaging.formats.kinds import NO_IMAGE, foreign_kind, is_extra_missing

    missing = Counter(reason for _, reason in problems if is_extra_missing(reason))
    for reason, number in missing.most_common():
        say(f"  {number} {reason if number > 1 else reason.replace('images need', 'image needs')}")
    problems = [one for one in problems if one[1] not in missing]
    damaged = [(name, reason) for name, reason in problems if foreign_kind(reason) is None]
    for name, reason in damaged[:SHOWN]:
        say(f"  {display.printable(name)}: {display.printable(reason)}")
    rest, foreign = len(damaged[SHOWN:]), len(problems) - len(damaged)
    if rest:
        say(f"  and {rest} more")
    if foreign:
        kinds = Counter(kind for _, reason in problems if (kind := foreign_kind(reason)) not in (None, NO_IMAGE))
        named = f": {', '.join(f'{number} × {kind}' for kind, number in kinds.most_common())}" if kinds else ""
        say(f"  {count(foreign, 'file is not an image', 'files are not images')} in a supported format{named}")
        if kinds:
            say(
                "  only exact copies of these are found; to compare pictures among them, save them as JPEG, PNG or TIFF"
            )
    if rest or foreign:
        say(f"  all of them: {more}")


def left_out(counts: Mapping[str, int]) -> str:
    """A list of the numbers of excluded files by kind, without `NOT_LISTED` ones.

    >>> left_out({"recycle bins": 12, "excluded": 10_000, "hidden": 3})
    '10000 or more excluded, 12 in recycle bins'
    """
    parts = []
    for kind, files in sorted(counts.items()):
        number = f"{files} or more" if files >= COUNTED else str(files)
        if kind not in NOT_LISTED and files:
            parts.append(f"{number} {'' if kind == 'excluded' else 'in '}{kind}")
    return ", ".join(parts)


def name_unreachable(places: Sequence[Unreachable], db: str) -> None:
    """List what is unreachable, why, and the remedy."""
    if not places:
        return
    images = sum(place.images for place in places)
    what = f"out of reach: {count(images, 'image')}" if images else "could not be read"
    say(f"{what}; nothing there was marked or removed:")
    for place in places[:SHOWN]:
        say(f"  {place.path}: {place.reason}" + (f" ({count(place.images, 'image')})" if place.images else ""))
    if len(places) > SHOWN:
        say(f"  and {len(places) - SHOWN} more: lookalike info --db {db} --errors")
    say(f"  mount missing drives or change permissions, then index again{_or_remove(places, db)}")


def _or_remove(places: Sequence[Unreachable], db: str) -> str:
    """The command that removes what is gone for good."""
    known = next((place.path for place in places if place.images and place.reason != "Permission denied"), None)
    return f"; if it is gone for good: lookalike remove {known} --db {db}" if known else ""


def fail_if(problems: Sequence[tuple[str, str]], count: int) -> None:
    """Raise an error that summarises unreadable images, if any."""
    if not problems:
        return
    name, reason = problems[0]
    if len(problems) == 1:
        raise LookalikeError(f"{name}: {reason}")
    raise LookalikeError(f"{len(problems)} of {count} images could not be read; the first: {name}: {reason}")


def radii(*, duplicate: int, similar: int) -> str:
    """The distance thresholds in words.

    >>> radii(duplicate=4, similar=20)
    'near-duplicate: up to 4 bits; similar: up to 20 bits'
    >>> radii(duplicate=0, similar=1)
    'near-duplicate: none: different images can be 1 bit apart here; similar: up to 1 bit'
    >>> radii(duplicate=-1, similar=-1)
    'near-duplicate: none: different images often have equal codes here; similar: none'
    """
    near = f"up to {count(duplicate, 'bit')}" if duplicate else "none: different images can be 1 bit apart here"
    near = near if duplicate >= 0 else "none: different images often have equal codes here"
    alike = f"up to {count(similar, 'bit')}" if similar > 0 else "none"
    return f"near-duplicate: {near}; similar: {alike}"


def size(count: int) -> str:
    """A number of bytes in words.

    >>> size(999), size(12_300), size(2_500_000)
    ('999 bytes', '12.3 kB', '2.5 MB')
    """
    if count < 1000:
        return f"{count} bytes"
    power = min(int(math.log10(count) / 3), 3)
    return f"{count / 1000**power:.1f} {['', 'kB', 'MB', 'GB'][power]}"
