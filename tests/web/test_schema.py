"""The OpenAPI document holds for any request: property-based tests with schemathesis.

`LOOKALIKE_CASES` is the number of requests for each route and kind, valid and invalid.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from lookalike.database import Database
from tests.web.conftest import Serve, Served

schemathesis = pytest.importorskip("schemathesis")

NO_HTTP = b"Invalid HTTP request received."  # from the server's parser: such a request reaches no route
CASES = int(os.environ.get("LOOKALIKE_CASES", "10"))


@pytest.fixture
def writing(photo_folder: Path, model: Path, tmp_path: Path, serve: Serve) -> Iterator[Served]:
    """A server that may change everything."""
    for name in ("cats/01.png", "dogs/00.jpg"):
        (photo_folder / f"copy-{name[5:]}").write_bytes((photo_folder / name).read_bytes())
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder, labels_from_folders=True)
    with serve(tmp_path / "db", write=True, trash=tmp_path / "trash", roots=(str(photo_folder),)) as running:
        yield running


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_answers_are_as_described(mode: str, writing: Served, photo_folder: Path) -> None:
    before = {path: path.read_bytes() for path in photo_folder.rglob("*") if path.is_file()}
    served = writing
    document = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    checks = schemathesis.specs.openapi.checks
    anything = [checks.positive_data_acceptance]  # bytes of the right type may still be no image
    form = [*anything, checks.negative_data_rejection]  # a form has text only, also for booleans
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) >= 42
    statuses: Counter[int] = Counter()
    for operation in operations:
        strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode])

        @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=strategy)
        def check(case: Any) -> None:
            answer = case.call()
            statuses[answer.status_code] += 1
            if (answer.status_code, answer.content) == (400, NO_HTTP):
                return
            case.validate_response(answer, excluded_checks=anything if case.media_type == "application/json" else form)

        try:
            check()
        except Exception as error:
            if type(error).__name__ not in ("Unsatisfiable", "SkipTest"):  # no invalid request exists
                raise
    said = f"{mode}: {statuses.total()} requests, by status: {dict(sorted(statuses.items()))}\n"
    sys.stdout.write(said)  # shown with -rA
    assert max(statuses) < 500
    assert served.client.get("/status").json()["ready"]
    assert {path: path.read_bytes() for path in photo_folder.rglob("*") if path.is_file()} == before
