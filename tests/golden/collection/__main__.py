"""`python -m tests.golden.collection --write` stores what this version says; without --write it shows how to."""

from __future__ import annotations

import sys

from tests.golden.collection import expectation

if sys.argv[1:] != ["--write"]:
    sys.exit("python -m tests.golden.collection --write stores the answers of this version as the expectation")
expectation.write()
