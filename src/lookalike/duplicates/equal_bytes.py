"""Exact copies of files that codes cannot compare: low-information images, and media that cannot be decoded.

The latter (videos, unsupported raw files, damaged images) are recognised by name or first bytes as an image, video or
design. Companions of photos are excluded: two sidecars with the same content mean nothing.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from lookalike.duplicates.cleanup.companions import Folders
from lookalike.duplicates.members import member, once_a_file
from lookalike.imaging import companions
from lookalike.imaging.formats import kinds
from lookalike.store.derived.results import Group
from lookalike.store.protocol import Store
from lookalike.store.records import Record

DESIGNS = frozenset({
    ".ai", ".afdesign", ".afphoto", ".blp", ".clip", ".cdr", ".dds", ".djvu", ".emf", ".eps", ".exr", ".fits", ".hdr",
    ".ico", ".icns", ".indd", ".jxr", ".kra", ".mng", ".pcx", ".pdf", ".procreate", ".ps", ".qoi", ".sai", ".sketch",
    ".svg", ".tga", ".wdp", ".wmf", ".xcf",
})  # fmt: skip
MEDIA = companions.PHOTOS | companions.VIDEOS | DESIGNS


def undecodable(store: Store, *, repeated: bool = False) -> dict[int, bytes]:
    """Digests, by id, of media files that cannot be decoded; `repeated`: only those that occur more than once."""
    digests = store.undecodable()
    often = Counter(digests.values())
    ids = sorted(id_ for id_, digest in digests.items() if not repeated or often[digest] > 1)
    return {record.id: digests[record.id] for record in _media(store.records(ids).values())}


def groups(store: Store, digests: Mapping[int, bytes]) -> list[Group]:
    """Groups of files with the same digest; hard links to one file count once."""
    by_digest: defaultdict[bytes, list[int]] = defaultdict(list)
    for id_, digest in digests.items():
        by_digest[digest].append(id_)
    several = [ids for ids in by_digest.values() if len(ids) > 1]
    records = store.records([id_ for ids in several for id_ in ids])
    found = (once_a_file([member(records[id_], 0) for id_ in ids if id_ in records]) for ids in several)
    return [group for group in found if len(group) > 1]


def _media(records: Iterable[Record]) -> list[Record]:
    """Records of media, without companions of a photo next to them."""
    folders = Folders()
    media = [one for one in records if _is_media(one)]
    return [one for one in media if not (companions.is_companion(one.name) and folders.owners(one.name))]


def _is_media(record: Record) -> bool:
    if companions.is_sidecar(os.path.basename(record.name)):
        return False
    is_known = record.error is not None and kinds.foreign_kind(record.error) != kinds.NO_IMAGE  # by its first bytes
    return is_known or os.path.splitext(record.name)[1].casefold() in MEDIA
