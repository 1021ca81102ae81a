"""Facts for and against each image of a group, derived from its file.

Borders, writing, recolouring, smaller crops and re-encoding are judged relative to the other images of the group.
Groups of more than `PAIRWISE` contents are compared only with their `REFERENCES` best ones.
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
ENLARGED = 1.2  # times another's side; nobody enlarges by less
CLEARLY = 0.2  # share of the difference by which one image clearly has more edges
COMPARABLE = 0.5  # share of another's true pixels
LEAST_COLOUR, GREY = 1.5, 0.25  # shades in a colourful picture; share of the most colourful one's in a grey picture
BURNT_OUT = 0.02  # share of a picture, clipped where another has shades, above which it was brightened
OTHER_COLOURS = 8.0  # mean difference in shades above which a copy was recoloured

EDITORS = (
    "photoshop", "lightroom", "gimp", "snapseed", "picasa", "instagram", "picsart", "vsco", "facetune", "canva",
    "paint", "imagemagick", "pixlr", "polarr", "meitu", "b612", "photoscape", "irfanview", "xnview", "acdsee",
    "affinity", "photopea", "darktable", "rawtherapee", "capture one", "luminar", "pillow", "graphicsmagick", "ffmpeg",
    "sharex", "whatsapp",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts for and against one content of a group."""

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
    coarseness: float = 0.0  # of a JPEG; 0 for other formats
    standard_table: bool = False
    bands: tuple[float, ...] = ()
    sharpness: float = 1.0  # share of its side that is true detail
    colourfulness: float = 99.0
    added: tuple[str, ...] = ()  # what it has and others lack: "a border", "writing", "other colours"
    shows_less: bool = False  # than another image with about as much detail
    made_from_another: bool = False  # it was encoded from another image of the group

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def true_pixels(self) -> float:
        """Number of pixels with true detail."""
        return self.pixels * self.sharpness**2

    def is_in_colour(self, most: float) -> bool:
        """Whether its colours are more than a tint; `most`: the highest colourfulness in the group."""
        return most < LEAST_COLOUR or self.colourfulness >= GREY * most

    @property
    def claim(self) -> int:
        """Evidence that it is a camera's own file, 0 to 3."""
        if is_raw(self.format):
            return 3
        if not self.metadata.camera:
            return int(bool(self.metadata.says))
        return 1 if self.is_edited else 2 + (self.format == "HEIF" or (self.coarseness > 0 and not self.standard_table))

    @property
    def _camera_codec(self) -> int:
        """Evidence that its codec is a camera's, 0 to 2."""
        return 0 if not self.coarseness else 1 + (not self.standard_table)

    @property
    def is_edited(self) -> bool:
        """Whether its metadata name an image editor or converter as its writer."""
        return any(name in self.metadata.software.lower() for name in EDITORS)


FactsOf = Mapping[bytes, Facts]  # by content digest


def of_group(evidence: Mapping[bytes, Evidence]) -> dict[bytes, Facts]:
    """Facts about the contents of one group."""
    own = {digest: _own(one) for digest, one in evidence.items()}
    relations = _Relations()
    for first, second in _pairs(own):
        relations.add(first, second, evidence, own)
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
    """Pairs of contents to compare."""
    order = sorted(own, key=lambda digest: (-len(own[digest].metadata.says), -own[digest].true_pixels, digest))
    if len(order) <= PAIRWISE:
        return itertools.combinations(order, 2)
    return ((one, other) for at, one in enumerate(order[:REFERENCES]) for other in order[at + 1 :])


class _Relations:
    """Relations between pairs of contents of a group."""

    def __init__(self) -> None:
        self.added: defaultdict[bytes, set[str]] = defaultdict(set)
        self.less: set[bytes] = set()
        self.made: set[bytes] = set()
        self.sharpness: dict[bytes, float] = {}  # of enlarged images
        self._alike: list[tuple[bytes, bytes]] = []
        self._apart: list[tuple[bytes, bytes]] = []

    def add(self, first: bytes, second: bytes, evidence: Mapping[bytes, Evidence], own: FactsOf) -> None:
        one, other = evidence[first], evidence[second]
        child = self._encoded(first, second, evidence, own)
        frames = comparison.frames(one, other)
        if frames is None:
            return
        self._note_frame(first, second, frames.first, own, one)
        self._note_frame(second, first, frames.second, own, other)
        if (worse := self._brightened(first, second, frames, evidence, own)) is not None:
            self.added[worse].add("other colours")
        elif comparison.is_whole(frames.first, one.picture) and comparison.is_whole(frames.second, other.picture):
            self._note_writing(first, second, child, frames, evidence, own)
            for larger, smaller in ((first, second), (second, first)):
                self._note_detail(larger, smaller, own)
        is_far = comparison.colours_apart(one, other, frames) > OTHER_COLOURS
        (self._apart if is_far else self._alike).append((first, second))

    def _encoded(self, first: bytes, second: bytes, evidence: Mapping[bytes, Evidence], own: FactsOf) -> bytes | None:
        """Which of two images was encoded from the other; never a camera's own file."""
        for child, parent in ((first, second), (second, first)):
            is_older = own[child].claim > own[parent].claim
            one, other = evidence[child], evidence[parent]
            if not is_older and (comparison.is_encoded_from(one, other) or comparison.is_turned_from(one, other)):
                self.made.add(child)
                most = min(own[child].sharpness, own[parent].sharpness)  # encoding adds noise, but no detail
                self.sharpness[child] = min(self.sharpness.get(child, 1.0), most)
                return child
        return None

    def _note_writing(
        self, first: bytes, second: bytes, child: bytes | None, frames: Frames, evidence: Mapping[bytes, Evidence],
        own: FactsOf,
    ) -> None:  # fmt: skip
        """Record which of two images has writing on it, if they differ in that way."""
        written = comparison.writing(evidence[first], evidence[second], frames)
        if written is None:
            return
        claims = own[first].claim - own[second].claim
        if child is not None:
            self.added[child].add("writing")
        elif claims:
            self.added[second if claims > 0 else first].add("writing")
        elif abs(written) >= CLEARLY:
            self.added[first if written > 0 else second].add("writing")

    def _brightened(
        self, first: bytes, second: bytes, frames: Frames, evidence: Mapping[bytes, Evidence], own: FactsOf
    ) -> bytes | None:
        """Which of two images was brightened until it clipped; never one with a better claim to be a camera's file."""
        most = max(own[first].colourfulness, own[second].colourfulness)
        if own[first].is_in_colour(most) != own[second].is_in_colour(most):
            return None
        burnt_out = comparison.burnt_out(evidence[first], evidence[second], frames)
        worse, better = (first, second) if burnt_out > 0 else (second, first)
        return worse if abs(burnt_out) > BURNT_OUT and own[worse].claim <= own[better].claim else None

    def _note_detail(self, larger: bytes, smaller: bytes, own: FactsOf) -> None:
        """Correct the sharpness of the larger image, if it has no more detail than the smaller one."""
        one, other = own[larger], own[smaller]
        scale = (one.pixels / other.pixels) ** 0.5
        if scale >= ENLARGED and detail.has_no_more(one.bands, other.bands, scale):
            self.sharpness[larger] = min(self.sharpness.get(larger, 1.0), one.sharpness, other.sharpness / scale)

    def _note_frame(self, larger: bytes, smaller: bytes, box: Box, own: FactsOf, one: Evidence) -> None:
        """Record whether an image that contains another one has a border, or the other is a crop."""
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
        """Contents whose colours differ from the apparent originals', if these can be identified."""
        most = max((facts.colourfulness for facts in own.values()), default=0.0)
        in_colour = {digest for digest, facts in own.items() if facts.is_in_colour(most)}
        clusters = _joined(in_colour, self._alike)
        original = self._original_cluster(clusters, own)
        pairs = [pair for pair in self._apart if in_colour.issuperset(pair)]
        return {one for pair in pairs for one, other in (pair, pair[::-1]) if other in original and one not in original}

    def _original_cluster(self, clusters: Sequence[set[bytes]], own: FactsOf) -> set[bytes]:
        """The contents with the same colours as the camera's own file, or else as the majority.

        In a tie without metadata, a lossless file is more likely the recoloured one than a JPEG, and a JPEG with
        standard tables more likely than one with its own.
        """
        if len(clusters) < 2:
            return set()
        claims = [max(own[digest].claim for digest in cluster) for cluster in clusters]
        if claims.count(max(claims)) == 1:
            return clusters[claims.index(max(claims))]
        most = max(facts.true_pixels for facts in own.values())
        votes = [
            sum(digest not in self.made and own[digest].true_pixels >= COMPARABLE * most for digest in cluster)
            for cluster in clusters
        ]
        if 2 * max(votes) > sum(votes):
            return clusters[votes.index(max(votes))]
        sources = [max(own[digest]._camera_codec for digest in cluster) for cluster in clusters]
        return clusters[sources.index(max(sources))] if sources.count(max(sources)) == 1 else set()


def _joined(digests: Iterable[bytes], pairs: Iterable[tuple[bytes, bytes]]) -> list[set[bytes]]:
    """Connected components: the contents of a pair are in the same set."""
    sets = {digest: {digest} for digest in sorted(digests)}
    for first, second in pairs:
        if first in sets and second in sets and sets[first] is not sets[second]:
            sets[first] |= sets[second]
            for digest in sets[second]:
                sets[digest] = sets[first]
    return list({id(one): one for one in sets.values()}.values())


def _own(one: Evidence) -> Facts:
    """Facts that do not depend on other images."""
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
