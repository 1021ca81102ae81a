"""Licences of what lookalike needs to run, by the packages that are installed; exit code 1 for one that may not be.

`python .ci/licences.py [EXTRA…]`: of the core, and of extras of pyproject.toml.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

REFUSED = re.compile(
    r"(?<!L)\bA?GPL|Affero|(?<!Lesser )General Public License|non-?commercial|\bBY-NC|SSPL|BUSL|proprietary", re.I
)
CLASSIFIER = "License :: OSI Approved :: "


def needed(name: str, extras: frozenset[str], seen: set[tuple[str, str]]) -> Iterator[Distribution]:
    """A package that is installed, and all that it needs."""
    found = distribution(name)
    for extra in ("", *sorted(extras)):
        if (found.name.lower(), extra) in seen:
            continue
        seen.add((found.name.lower(), extra))
        if not extra:
            yield found
        for line in found.requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is not None and not marker.evaluate({"extra": extra}):
                continue
            if not extra or (marker is not None and not marker.evaluate({"extra": ""})):
                yield from needed(requirement.name, frozenset(requirement.extras), seen)


def licence(found: Distribution) -> str:
    """What a package says of its licence, in a line."""
    about = found.metadata
    named = [one.removeprefix(CLASSIFIER) for one in about.get_all("Classifier") or () if one.startswith(CLASSIFIER)]
    said = about["License-Expression"] or ", ".join(named) or (about["License"] or "").strip().partition("\n")[0]
    return said or "unknown"


def main(extras: list[str]) -> int:
    """Print the list."""
    try:
        packages = {one.name.lower(): one for one in needed("lookalike", frozenset(extras), set())}
    except PackageNotFoundError as error:
        sys.stderr.write(f"{error.name} is not installed; run: make dev\n")
        return 1
    wrong = []
    for name, found in sorted(packages.items()):
        said = licence(found)
        if name != "lookalike":
            sys.stdout.write(f"{name}\t{found.version}\t{said}\n")
        if said == "unknown" or REFUSED.search(said):
            wrong.append(f"{name} ({said})")
    if wrong:
        sys.stderr.write(f"not to be depended on, or to be looked up: {', '.join(wrong)}\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
