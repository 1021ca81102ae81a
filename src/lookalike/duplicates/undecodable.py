"""Files of equal bytes that cannot be decoded: videos, raw files of a kind that is not read, damaged images.

They have no code, but bytes are bytes: such files are exact copies of each other. Only what is known by its name or its
first bytes as an image, a video or a design counts, and companions of photos never do: that two sidecars say the same
means nothing.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable

from lookalike.duplicates import hardlinks
from lookalike.imaging import companions
from lookalike.imaging.formats import kinds
from lookalike.store.catalog import Catalog, Record
from lookalike.store.derived.results import Group

DESIGNS = frozenset({
    ".ai", ".afdesign", ".afphoto", ".blp", ".clip", ".cdr", ".dds", ".djvu", ".emf", ".eps", ".exr", ".fits", ".hdr",
    ".ico", ".icns", ".indd", ".jxr", ".kra", ".mng", ".pcx", ".pdf", ".procreate", ".ps", ".qoi", ".sai", ".sketch",
    ".svg", ".tga", ".wdp", ".wmf", ".xcf",
})  # fmt: skip
MEDIA = companions.PHOTOS | companions.VIDEOS | DESIGNS


def contents(catalog: Catalog) -> dict[int, bytes]:
    """The files that cannot be decoded and may be copies, by id: the digest of each."""
    digests = catalog.undecodable()
    return {record.id: digests[record.id] for record in _media(catalog.records(sorted(digests)).values())}


def groups(catalog: Catalog) -> list[Group]:
    """Groups of files with the same bytes, each file once."""
    digests = catalog.undecodable()
    often = Counter(digests.values())
    records = catalog.records([id_ for id_, digest in digests.items() if often[digest] > 1])
    by_digest: defaultdict[bytes, Group] = defaultdict(list)
    for record in _media(records.values()):
        by_digest[digests[record.id]].append(hardlinks.member(record, 0))
    members = (hardlinks.once_a_file(group) for group in by_digest.values() if len(group) > 1)
    return sorted((group for group in members if len(group) > 1), key=lambda group: group[0].path)


def _media(records: Iterable[Record]) -> list[Record]:
    """Those that are known to be media, and no companions of a photo next to them."""
    siblings: dict[str, dict[str, list[str]]] = {}
    found = []
    for record in records:
        folder, name = os.path.split(record.name)
        if not _is_media(record, name):
            continue
        if companions.is_companion(name):
            if folder not in siblings:
                siblings[folder] = companions.by_owner(_listed(folder))
            if any(name in owned for owned in siblings[folder].values()):
                continue
        found.append(record)
    return found


def _is_media(record: Record, name: str) -> bool:
    if companions.is_sidecar(name):
        return False
    is_known = record.error is not None and record.error != kinds.NO_IMAGE  # by its first bytes
    return is_known or os.path.splitext(name)[1].casefold() in MEDIA


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # a table, or gone
        return []
