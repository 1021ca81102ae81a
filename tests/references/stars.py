"""Groups of look-alikes as stars, in plain Python from their definition.

Images are processed in descending order of their number of neighbours (including themselves, whether in a group or
not), then by name. Each takes its free neighbours. An image in a group joins no other and becomes no other centre.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.references.bitcount import Code, distance


def star(codes: Sequence[Code], names: Sequence[str], *, radius: int) -> list[list[tuple[int, int]]]:
    """Groups of (image, bits to the group's first image)."""
    count = len(codes)
    near = [[j for j in range(count) if distance(codes[i], codes[j]) <= radius] for i in range(count)]
    return _stars(near, lambda i, j: distance(codes[i], codes[j]), names)


def star_of(near: Sequence[Sequence[int]], values: Sequence[int], names: Sequence[str]) -> list[list[tuple[int, int]]]:
    """The same for codes as numbers, given the neighbours of each."""
    return _stars(near, lambda i, j: (values[i] ^ values[j]).bit_count(), names)


def _stars(
    near: Sequence[Sequence[int]], bits: Callable[[int, int], int], names: Sequence[str]
) -> list[list[tuple[int, int]]]:
    free = set(range(len(near)))
    groups = []
    for centre in sorted(range(len(near)), key=lambda i: (-len(near[i]), names[i])):
        if centre not in free:
            continue
        members = [(j, bits(centre, j)) for j in near[centre] if j in free]
        free -= {j for j, _ in members}
        if len(members) > 1:
            groups.append(sorted(members, key=lambda pair: (pair[1], names[pair[0]])))
    return sorted(groups, key=lambda group: names[group[0][0]])
