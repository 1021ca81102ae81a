"""Companion files: files that belong to a photo next to them.

Sidecars with ratings and edits, the video of a live photo, a voice memo, the JSON of a Google Takeout. They are
matched by name alone, ignoring case. A companion may belong to several photos: `IMG_1.xmp` belongs to both `IMG_1.JPG`
and `IMG_1.DNG`.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator


def _endings(text: str) -> frozenset[str]:
    return frozenset(f".{ending}" for ending in text.split())


PHOTOS = _endings(
    "jpg jpeg jpe jfif heic heif hif avif webp jxl png gif bmp tif tiff jp2 psd psb dng cr2 cr3 crw nef nrw arw sr2 srf"
    " raf orf rw2 rwl pef srw iiq 3fr fff erf mef mos mrw x3f kdc dcr gpr raw"
)
VIDEOS = _endings("mov mp4 m4v mp 3gp avi mts m2ts mkv webm")
MOTION = _endings("mov mp4 m4v mp 3gp")  # the moving part of a live or motion photo
SIDECARS = _endings("xmp aae pp3 dop on1 thm acr arp cos nksc vrd dr4 exv mie lrv")  # never images
ATTACHED = _endings("json wav")  # companions only next to a photo of the same name
LARGEST = 50_000_000  # bytes; a larger video is a film with a poster, not the moving part of a photo
TAKEOUT = ".supplemental-metadata"  # Google cuts a name to 46 characters and appends .json
CUT = 46
EDITED = ("-edited", "-bearbeitet", "-modifié", "-editado", "-editada", "-modificato", "-bewerkt", "-edytowane")

_COUNTED = re.compile(r"\((\d+)\)$")
_DARKTABLE = re.compile(r"_\d\d$")  # IMG_1_01.CR2.xmp: another version of IMG_1.CR2
_APPLE = re.compile(r"^(img_)o(\d+)$")  # IMG_O1234.AAE: the earlier edits of IMG_1234


def is_companion(name: str) -> bool:
    """Whether a name may be a companion's.

    >>> is_companion("IMG_1.AAE"), is_companion("IMG_1.MOV"), is_companion("IMG_1.JPG")
    (True, True, False)
    """
    return _ending(name) in SIDECARS | MOTION | ATTACHED


def is_sidecar(name: str) -> bool:
    """Whether a name is that of a sidecar: never an image, even if its photo is gone.

    >>> is_sidecar("IMG_1.xmp"), is_sidecar("IMG_1.mov"), is_sidecar("IMG_1.jpg.suppl.json")
    (True, False, True)
    """
    ending = _ending(name)
    if ending != ".json":
        return ending in SIDECARS
    return any(_ending(base) in PHOTOS for base in _takeout(name[: -len(ending)].casefold()))


def is_video(name: str) -> bool:
    """Whether a name is a video's.

    >>> is_video("a.MP4"), is_video("a.jpg")
    (True, False)
    """
    return _ending(name) in VIDEOS


def by_owner(names: Iterable[str]) -> dict[str, list[str]]:
    """The companions of each file of a folder that has any, sorted by name.

    >>> by_owner(["img_1.xmp", "IMG_1.JPG", "IMG_1.JPG.json", "IMG_1 (1).xmp"])
    {'IMG_1.JPG': ['IMG_1.JPG.json', 'img_1.xmp']}
    """
    names = list(names)
    owned: dict[str, list[str]] = defaultdict(list)
    for owner in names:
        if not is_companion(owner) or is_video(owner):
            for key in set(_keys_of_owner(owner)):
                owned[key].append(owner)
    companions: dict[str, set[str]] = defaultdict(set)
    photos = {name.casefold() for name in names if _ending(name) in PHOTOS}
    for name in names:
        for owner in _owners(name, owned, photos) if is_companion(name) else ():
            companions[owner].add(name)
    return {owner: sorted(names) for owner, names in sorted(companions.items())}


def _owners(name: str, owned: dict[str, list[str]], photos: set[str]) -> Iterator[str]:
    """The files that a companion belongs to; a file may be repeated."""
    for key in _keys_of_companion(name, photos):
        for owner in owned.get(key, ()):
            if owner != name and _may_own(owner, name):
                yield owner


def _may_own(owner: str, name: str) -> bool:
    """Whether one kind of file can own another: photos own any companion, videos and other files only sidecars."""
    return _ending(owner) in PHOTOS or _ending(name) in SIDECARS or (is_sidecar(name) and is_video(owner))


def _keys_of_owner(name: str) -> Iterator[str]:
    """Keys that companions look their owner up by: `name:` the full name, `stem:` without its ending, `cut:` …"""
    whole = name.casefold()
    stem, ending = os.path.splitext(whole)
    yield f"name:{whole}"
    yield f"stem:{stem}"
    for mark in EDITED:
        if stem.endswith(mark):
            yield f"name:{stem.removesuffix(mark)}{ending}"  # an edited copy shares the JSON of its original
    if len(whole) > CUT:
        yield f"cut:{whole[:CUT]}"


def _keys_of_companion(name: str, photos: set[str]) -> Iterator[str]:
    """Lookup keys of a companion's owner, for every reading of the companion's name."""
    whole, ending = name.casefold(), _ending(name)
    base = whole[: -len(ending)]
    yield f"stem:{base}"
    if ending in MOTION:
        yield f"stem:{whole}"  # PXL_1.MP.jpg has PXL_1.MP
        yield f"stem:{base.removesuffix('_hevc')}"
        return
    if ending == ".json":
        yield from (f"name:{title}" for title in _takeout(base))
        if len(base) == CUT:
            yield f"cut:{base}"
        return
    yield f"name:{base}"
    stem, inner = os.path.splitext(base)
    if inner in PHOTOS and _DARKTABLE.search(stem) and base not in photos:
        yield f"name:{_DARKTABLE.sub('', stem)}{inner}"
    if ending == ".aae" and _APPLE.match(base):
        yield "stem:" + _APPLE.sub(r"\1\2", base)


def _takeout(base: str) -> Iterator[str]:
    """Photo names that a Takeout JSON's name (without its ending) may refer to.

    >>> list(_takeout("img_1.jpg.suppl(2)"))
    ['img_1.jpg.suppl(2)', 'img_1(2).jpg']
    >>> list(_takeout("img_1.jpg.supplemental-metadata"))
    ['img_1.jpg.supplemental-metadata', 'img_1.jpg']
    """
    yield base
    count = _COUNTED.search(base)
    title = base[: count.start()] if count else base
    for length in range(len(TAKEOUT), 0, -1):
        if title.endswith(TAKEOUT[:length]):
            title = title[:-length]
            break
    if title != base:
        stem, ending = os.path.splitext(title)
        yield f"{stem}{count.group()}{ending}" if count else title


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].casefold()
