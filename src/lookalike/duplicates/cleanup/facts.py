"""What speaks for and against each image of a group, as its file tells.

Whether an image has a border, writing or other colours, shows less, or was encoded from another, is relative to the
others of its group. Groups of more than `PAIRWISE` contents are compared with the `REFERENCES` best of them only.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lookalike.imaging import comparison, detail
from lookalike.imaging.borders import Box
from lookalike.imaging.comparison import Frames
from lookalike.imaging.evidence import Evidence
from lookalike.imaging.formats.kinds import is_raw
from lookalike.imaging.metadata import Metadata

PAIRWISE = 10  # contents
REFERENCES = 8
ENLARGED = 1.2  # times another's sides; by less nobody enlarges
CLEARLY = 0.2  # by so large a share of what differs one has more that is made up
COMPARABLE = 0.5  # share of the true pixels of another one
LEAST_COLOUR, GREY = 1.5, 0.25  # shades that a colourful picture has; of those of the most colourful one a grey one has
OTHER_COLOURS = 8.0  # shades on average: what lies further apart was recoloured

EDITORS = (
    "photoshop", "lightroom", "gimp", "snapseed", "picasa", "instagram", "picsart", "vsco", "facetune", "canva",
    "paint", "imagemagick", "pixlr", "polarr", "meitu", "b612", "photoscape", "irfanview", "xnview", "acdsee",
    "affinity", "photopea", "darktable", "rawtherapee", "capture one", "luminar", "pillow", "graphicsmagick", "ffmpeg",
    "sharex", "whatsapp",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What speaks for and against one content of a group."""

    width: int
    height: int
    format: str
    metadata: Metadata
    damage: str = ""
    depth: int = 8
    frames: int = 1
    lossless: bool = False
    reduced_to_palette: bool = False
    has_blocks: bool = False
    coarseness: float = 0.0  # of a JPEG; 0: it is none
    standard_table: bool = False
    bands: tuple[float, ...] = ()
    sharpness: float = 1.0  # share of its side that holds true detail
    colourfulness: float = 99.0
    added: tuple[str, ...] = ()  # what it has and others have not: "a border", "writing", "other colours"
    shows_less: bool = False  # than another one with about as much detail
    made_from_another: bool = False  # it was encoded from another of the group

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def true_pixels(self) -> float:
        """As many as hold true detail."""
        return self.pixels * self.sharpness**2

    def is_in_colour(self, most: float) -> bool:
        """Whether its colours are more than a tint; `most`: how colourful the most colourful of its group is."""
        return most < LEAST_COLOUR or self.colourfulness >= GREY * most

    @property
    def claim(self) -> int:
        """How much speaks for it being a camera's own file, 0 to 3."""
        if is_raw(self.format):
            return 3
        if not self.metadata.camera:
            return int(bool(self.metadata.says))
        return 1 if self.is_edited else 2 + (self.format == "HEIF" or (self.coarseness > 0 and not self.standard_table))

    @property
    def is_taken(self) -> int:
        """How much its codec is one of cameras, 0 to 2."""
        return 0 if not self.coarseness else 1 + (not self.standard_table)

    @property
    def is_edited(self) -> bool:
        """Whether a program that edits or converts images says that it wrote the file."""
        return any(name in self.metadata.software.lower() for name in EDITORS)


FactsOf = Mapping[bytes, Facts]  # contents by their digests


def of_group(found: Mapping[bytes, Evidence]) -> dict[bytes, Facts]:
    """The facts of the contents of one group."""
    own = {digest: _own(one) for digest, one in found.items()}
    relations = _Relations()
    for first, second in _pairs(own):
        relations.add(first, second, found, own)
    recoloured = relations.recoloured(own)
    return {
        digest: replace(
            facts,
            added=(*sorted(relations.added[digest]), *(("other colours",) if digest in recoloured else ())),
            shows_less=digest in relations.less,
            made_from_another=digest in relations.made,
            sharpness=relations.sharpness.get(digest, facts.sharpness),
        )
        for digest, facts in own.items()
    }


def _pairs(own: FactsOf) -> Iterable[tuple[bytes, bytes]]:
    """Which contents are compared."""
    order = sorted(own, key=lambda digest: (-len(own[digest].metadata.says), -own[digest].true_pixels, digest))
    if len(order) <= PAIRWISE:
        return itertools.combinations(order, 2)
    return ((one, other) for at, one in enumerate(order[:REFERENCES]) for other in order[at + 1 :])


class _Relations:
    """What pairs of contents of a group are to each other."""

    def __init__(self) -> None:
        self.added: defaultdict[bytes, set[str]] = defaultdict(set)
        self.less: set[bytes] = set()
        self.made: set[bytes] = set()
        self.sharpness: dict[bytes, float] = {}  # of what was enlarged
        self._alike: list[tuple[bytes, bytes]] = []
        self._apart: list[tuple[bytes, bytes]] = []

    def add(self, first: bytes, second: bytes, found: Mapping[bytes, Evidence], own: FactsOf) -> None:
        one, other = found[first], found[second]
        child = self._encoded(first, second, found, own)
        frames = comparison.frames(one, other)
        if frames is None:
            return
        self._note_frame(first, second, frames.first, own, one)
        self._note_frame(second, first, frames.second, own, other)
        if comparison.is_whole(frames.first, one.picture) and comparison.is_whole(frames.second, other.picture):
            self._note_writing(first, second, child, frames, found, own)
            for larger, smaller in ((first, second), (second, first)):
                self._note_detail(larger, smaller, own)
        is_far = comparison.colours_apart(one, other, frames) > OTHER_COLOURS
        (self._apart if is_far else self._alike).append((first, second))

    def _encoded(self, first: bytes, second: bytes, found: Mapping[bytes, Evidence], own: FactsOf) -> bytes | None:
        """Which of two was encoded from the other; never a camera's own file."""
        for child, parent in ((first, second), (second, first)):
            is_older = own[child].claim > own[parent].claim
            if not is_older and comparison.is_encoded_from(found[child], found[parent]):
                self.made.add(child)
                most = min(own[child].sharpness, own[parent].sharpness)  # encoding adds noise, and no detail
                self.sharpness[child] = min(self.sharpness.get(child, 1.0), most)
                return child
        return None

    def _note_writing(
        self, first: bytes, second: bytes, child: bytes | None, frames: Frames, found: Mapping[bytes, Evidence],
        own: FactsOf,
    ) -> None:  # fmt: skip
        """Which of two has writing over it, if they differ as if one had."""
        written = comparison.writing(found[first], found[second], frames)
        if written is None:
            return
        claims = own[first].claim - own[second].claim
        if child is not None:
            self.added[child].add("writing")
        elif claims:
            self.added[second if claims > 0 else first].add("writing")
        elif abs(written) >= CLEARLY:
            self.added[first if written > 0 else second].add("writing")

    def _note_detail(self, larger: bytes, smaller: bytes, own: FactsOf) -> None:
        """How much detail the larger of two has, if it has no more than the smaller."""
        one, other = own[larger], own[smaller]
        scale = (one.pixels / other.pixels) ** 0.5
        if scale >= ENLARGED and detail.has_no_more(one.bands, other.bands, scale):
            self.sharpness[larger] = min(self.sharpness.get(larger, 1.0), one.sharpness, other.sharpness / scale)

    def _note_frame(self, larger: bytes, smaller: bytes, box: Box, own: FactsOf, one: Evidence) -> None:
        """What it means that a picture shows another one in a part of it."""
        if comparison.is_whole(box, one.picture):
            return
        more = own[larger].claim - own[smaller].claim  # a camera's own file has no border, and no export shows more
        if more < 0 or (more == 0 and comparison.has_border(one.picture, box)):
            self.added[larger].add("a border")
            return
        height, width = one.picture.shape[:2]
        share = (box.right - box.left) * (box.bottom - box.top) / (width * height)
        if own[larger].true_pixels * share >= COMPARABLE * own[smaller].true_pixels:
            self.less.add(smaller)

    def recoloured(self, own: FactsOf) -> set[bytes]:
        """The contents in other colours than those that seem to be the original ones, if it can be told which are."""
        most = max((facts.colourfulness for facts in own.values()), default=0.0)
        in_colour = {digest for digest, facts in own.items() if facts.is_in_colour(most)}
        looks = _joined(in_colour, self._alike)
        original = self._original_look(looks, own)
        pairs = [pair for pair in self._apart if in_colour.issuperset(pair)]
        return {one for pair in pairs for one, other in (pair, pair[::-1]) if other in original and one not in original}

    def _original_look(self, looks: Sequence[set[bytes]], own: FactsOf) -> set[bytes]:
        """The contents that look as the camera's own file does, or else as most do.

        Of as many with no metadata a JPEG is rather what somebody saved in other colours without loss than its copy,
        and one with tables of its own rather than one as programs write it.
        """
        if len(looks) < 2:
            return set()
        claims = [max(own[digest].claim for digest in look) for look in looks]
        if claims.count(max(claims)) == 1:
            return looks[claims.index(max(claims))]
        most = max(facts.true_pixels for facts in own.values())
        votes = [
            sum(digest not in self.made and own[digest].true_pixels >= COMPARABLE * most for digest in look)
            for look in looks
        ]
        if 2 * max(votes) > sum(votes):
            return looks[votes.index(max(votes))]
        sources = [max(own[digest].is_taken for digest in look) for look in looks]
        return looks[sources.index(max(sources))] if sources.count(max(sources)) == 1 else set()


def _joined(digests: Iterable[bytes], pairs: Iterable[tuple[bytes, bytes]]) -> list[set[bytes]]:
    """The contents in sets: those of a pair are in the same."""
    sets = {digest: {digest} for digest in sorted(digests)}
    for first, second in pairs:
        if first in sets and second in sets and sets[first] is not sets[second]:
            sets[first] |= sets[second]
            for digest in sets[second]:
                sets[digest] = sets[first]
    return list({id(one): one for one in sets.values()}.values())


def _own(one: Evidence) -> Facts:
    """What does not depend on the others."""
    return Facts(
        width=one.width,
        height=one.height,
        format=one.format,
        metadata=one.metadata,
        damage=one.damage,
        depth=one.depth,
        frames=one.frames,
        lossless=one.lossless,
        reduced_to_palette=one.reduced_to_palette,
        has_blocks=one.has_blocks,
        coarseness=detail.coarseness(one.table) if one.table else 0.0,
        standard_table=detail.is_standard(one.table),
        bands=one.bands,
        sharpness=detail.sharpness(one.bands),
        colourfulness=one.colourfulness,
    )
