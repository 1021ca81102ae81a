"""Groups of look-alikes as stars, by the definition and in plain Python.

The image with the most neighbours comes first (itself counted, taken or not); of equals, the one with the least name.
It takes those of its neighbours that are free. What has been taken is in no other group and no other centre.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.references.bitcount import Code, distance


def star(codes: Sequence[Code], names: Sequence[str], *, radius: int) -> list[list[tuple[int, int]]]:
    """Groups of (image, bits to the group's first image)."""
    count = len(codes)
    near = [[j for j in range(count) if distance(codes[i], codes[j]) <= radius] for i in range(count)]
    free = set(range(count))
    groups = []
    for centre in sorted(range(count), key=lambda i: (-len(near[i]), names[i])):
        if centre not in free:
            continue
        members = [(j, distance(codes[centre], codes[j])) for j in near[centre] if j in free]
        free -= {j for j, _ in members}
        if len(members) > 1:
            groups.append(sorted(members, key=lambda pair: (pair[1], names[pair[0]])))
    return sorted(groups, key=lambda group: names[group[0][0]])
