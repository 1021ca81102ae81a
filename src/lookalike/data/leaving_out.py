"""Files left out of folders: recycle bins, snapshots, libraries and thumbnails of other programs, and user rules.

A glob without a slash is matched against names of files and folders at any depth; one with a slash against the path
relative to the rule's folder, where `**` stands for any number of folders. A trailing slash restricts it to folders.
Case is ignored. A folder that is left out is left out with everything in it; included files override everything else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lookalike.core.errors import ConfigError

EXCLUDED, HIDDEN, DATABASES = "excluded", "hidden", "databases"
BINS, SNAPSHOTS = "recycle bins", "snapshots"
LIBRARIES, THUMBNAILS, SYSTEM = "photo libraries", "thumbnails and caches", "system folders"
COUNTED = 10_000  # counting stops here: more precision is not needed

_FOLDERS = {
    BINS: "#recycle @recycle $recycle.bin recycler recycled .recycle .recycle.bin .trash .trash-* .trashes .globaltrash"
    " files_trashbin|network trash folder",
    SNAPSHOTS: "#snapshot .snapshot .snapshots ~snapshot @recently-snapshot @sharesnap .zfs .ckpt @gmt-*"
    " backups.backupdb .stversions files_versions",
    LIBRARIES: "*.photoslibrary *.photolibrary *.migratedphotolibrary *.aplibrary *.photoboothlibrary *.lrdata"
    " *.lrlibrary *.lrcat-data *.cocatalog *.tvlibrary *.imovielibrary *.fcpbundle *.theater",
    THUMBNAILS: "@eadir .@__thumb .@__qini .@__desc @__thumb .thumbnails .thumbs .tmb .xvpics .comments"
    " appdata_oc* .appledouble .thumbcache|@transcode",
    SYSTEM: "lost+found __macosx found.??? .spotlight-v100 .fseventsd .documentrevisions-v100 .temporaryitems @tmp"
    " .streams|system volume information|temporary items",
}
_FILES = {
    BINS: ".trashed-*",
    THUMBNAILS: "thumbs.db ehthumbs.db ehthumbs_vista.db zbthumbnail.info .bridgecache .bridgecachet",
    HIDDEN: "desktop.ini .ds_store",
}

_LAYOUTS = {  # names that people use, too, so these sub-folders must exist
    "trash": (("files", "info"), BINS),  # of a desktop
    "captureone": (("Cache",), THUMBNAILS),
}


class Rule(NamedTuple):
    """A user's rule for a folder."""

    folder: str  # absolute path
    glob: str
    include: bool


def rules(paths: Iterable[str], *, exclude: Iterable[str] = (), include: Iterable[str] = ()) -> list[Rule]:
    """The rules made by globs for the folders among paths.

    Raises `ConfigError` for a glob that can match nothing, or if there is no folder.
    """
    folders = [path for path in paths if os.path.isdir(path)]
    globs = [*((glob, False) for glob in exclude), *((glob, True) for glob in include)]
    for glob, _ in globs:
        if not glob.strip("/") or "\0" in glob or any(part in (".", "..") for part in glob.split("/")):
            raise ConfigError(f"{glob!r} can match no file; expected a glob such as '*.png', 'Drafts' or 'scans/*/raw'")
    if globs and not folders:
        raise ConfigError("files named directly are always used; --exclude and --include need a folder")
    return [Rule(folder, glob, included) for folder in folders for glob, included in globs]


def escaped(path: str) -> str:
    """A glob that matches only this path."""
    return re.sub(r"([*?[])", r"[\1]", path)


class LeavingOut:
    """The rules in effect, and the reason why each name is left out."""

    def __init__(self, given: Iterable[Rule] = ()) -> None:
        self._rules = [_Compiled(rule) for rule in given]
        self._applying: tuple[str, list[_Compiled]] = ("", [])

    def kind(self, folder: str, name: str, *, is_folder: bool) -> str | None:
        """Why a file or sub-folder is left out; None if it is not."""
        matching = self._matching(folder, name, is_folder=is_folder)
        if matching:
            return None if any(matching) else EXCLUDED
        return _default(os.path.join(folder, name), name, is_folder=is_folder)

    def includes(self, folder: str, name: str, *, is_folder: bool) -> bool:
        """Whether a rule includes a file or sub-folder."""
        return any(self._matching(folder, name, is_folder=is_folder))

    def may_hold_included(self, folder: str) -> bool:
        """Whether a rule includes something below a folder that is left out."""
        return any(one._reaches(folder) for one in self._of(os.path.dirname(folder)))

    def of_path(self, scope: str, path: str) -> str | None:
        """Why a file below a scope is left out; None if it is not."""
        parts = os.path.relpath(path, scope).split(os.sep)
        kind: str | None = None
        folder = scope
        for number, name in enumerate(parts):
            is_folder = number < len(parts) - 1
            if self.includes(folder, name, is_folder=is_folder):
                kind = None
            else:
                kind = kind or self.kind(folder, name, is_folder=is_folder)
            folder = os.path.join(folder, name)
        return kind

    def _matching(self, folder: str, name: str, *, is_folder: bool) -> list[bool]:
        """For each matching rule, whether it includes."""
        path = os.path.join(folder, name)
        return [one.include for one in self._of(folder) if one.matches(path, name, is_folder=is_folder)]

    def _of(self, folder: str) -> list[_Compiled]:
        """The rules of a folder or one above it."""
        if self._applying[0] != folder:
            self._applying = folder, [one for one in self._rules if one.applies(folder)]
        return self._applying[1]


class _Compiled:
    """A compiled rule."""

    def __init__(self, rule: Rule) -> None:
        self.include = rule.include
        self._base = rule.folder.rstrip("/") + "/"
        glob = rule.glob.removeprefix("./")
        self._folders_only = glob.endswith("/")
        self._by_path = "/" in glob.rstrip("/")
        self._parts = glob.strip("/").split("/")
        self._pattern = re.compile(_regex(self._parts), re.IGNORECASE | re.DOTALL)

    def applies(self, folder: str) -> bool:
        return (folder.rstrip("/") + "/").startswith(self._base)

    def matches(self, path: str, name: str, *, is_folder: bool) -> bool:
        if self._folders_only and not is_folder:
            return False
        return self._pattern.fullmatch(path[len(self._base) :] if self._by_path else name) is not None

    def _reaches(self, folder: str) -> bool:
        """Whether it may include something below a folder."""
        if not (self.include and self._by_path and self.applies(folder)):
            return False
        inside = folder[len(self._base) :].split("/")
        if "**" in self._parts[: len(inside)]:
            return True
        return len(inside) < len(self._parts) and all(
            re.fullmatch(_part(glob), name, re.IGNORECASE | re.DOTALL)
            for glob, name in zip(self._parts, inside, strict=False)
        )


def _regex(parts: list[str]) -> str:
    *folders, last = parts
    head = "".join("(?:[^/]+/)*" if part == "**" else _part(part) + "/" for part in folders)
    return head + (".+" if last == "**" else _part(last))


def _part(glob: str) -> str:
    """The regular expression for one component of a glob."""
    text, at = "", 0
    while at < len(glob):
        sign = glob[at]
        end = glob.find("]", at + 2) if sign == "[" else -1
        if sign == "*":
            text += "[^/]*"
        elif sign == "?":
            text += "[^/]"
        elif end > 0:
            body = glob[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            text += f"[{'^' + body[1:] if body[0] in '!^' else body}]"
            at = end
        else:
            text += re.escape(sign)
        at += 1
    return text


def _compile(kinds: dict[str, str]) -> tuple[re.Pattern[str], list[str]]:
    """One expression for all kinds, and the kinds in the order of its groups."""
    groups = []
    for text in kinds.values():
        simple, *spaced = text.split("|")
        groups.append("(" + "|".join(_part(glob) for glob in [*simple.split(), *spaced]) + ")")
    return re.compile("|".join(groups), re.IGNORECASE | re.DOTALL), list(kinds)


_DEFAULTS = {True: _compile(_FOLDERS), False: _compile(_FILES)}


def _default(path: str, name: str, *, is_folder: bool) -> str | None:
    pattern, kinds = _DEFAULTS[is_folder]
    found = pattern.fullmatch(name)
    if found:
        return kinds[(found.lastindex or 1) - 1]
    if name.startswith("."):
        return HIDDEN
    if is_folder and name.casefold() in _LAYOUTS:
        layout, kind = _LAYOUTS[name.casefold()]
        return kind if all(os.path.isdir(os.path.join(path, inner)) for inner in layout) else None
    return None


def count_files(path: str, *, at_most: int) -> int:
    """Number of files below a folder; unreadable folders are not counted."""
    total, waiting = 0, [path]
    while waiting and total < at_most:
        for entry in _entries(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                total += 1
    return min(total, at_most)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return
