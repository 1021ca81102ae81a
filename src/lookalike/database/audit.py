"""The audit log of `match`: JSON lines, one for each answer, on disk before the answer is given.

A line has no image and no name of a file: the SHA-256 of the upload identifies it. A full file is renamed to the next
number (`audit.jsonl.1`, `.2`, …) and never deleted. Several processes may write to the same file.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from lookalike.core.errors import DataError

if TYPE_CHECKING:
    from lookalike.database.banks import Match

MOST_BYTES = 64 << 20  # of a file, before the next line starts another one


class AuditLog:
    """An append-only file of answers."""

    def __init__(self, path: str | os.PathLike[str], *, most: int = MOST_BYTES) -> None:
        self.path, self._most = Path(path).absolute(), most
        self._lock, self._between = threading.Lock(), filelock.FileLock(f"{self.path}.lock")

    def add(self, answers: Sequence[Match], *, banks: Sequence[str], model: str, request: str = "") -> str:
        """Write answers to one request, whose id is returned. Raises `DataError` if they cannot be written."""
        request = request or secrets.token_hex(8)
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        shared = {"at": at, "request": request, "banks": list(banks), "model": model}
        lines = "".join(json.dumps({**shared, **_about(one)}) + "\n" for one in answers)
        try:
            with self._lock, self._between:
                self._make_room()
                with self.path.open("ab") as file:
                    file.write(lines.encode())
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            raise DataError(
                f"the audit log {self.path} cannot be written ({error.strerror}), so nothing is answered; name another "
                "file, or make room"
            ) from error
        return request

    def _make_room(self) -> None:
        if not self.path.exists() or self.path.stat().st_size < self._most:
            return
        ends = (one.name.removeprefix(f"{self.path.name}.") for one in self.path.parent.glob(f"{self.path.name}.*"))
        number = max((int(end) for end in ends if end.isdecimal()), default=0) + 1
        self.path.rename(self.path.with_name(f"{self.path.name}.{number}"))


def _about(answer: Match) -> dict[str, object]:
    matches = [
        {"bank": one.bank, "entry": one.entry, "kind": one.kind, "relation": one.relation, "edits": one.edits,
         "agreement": one.agreement, "distance": one.distance, "threshold": one.threshold}
        for one in answer.matches
    ]  # fmt: skip
    return {
        "sha256": answer.sha256, "matched": answer.matched, "matches": matches, "unverified": answer.unverified,
        "rate": answer.rate._asdict(), "error": answer.error,
    }  # fmt: skip
