"""The audit log starts another file when one is full, and loses no line, whoever writes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lookalike.database.audit import AuditLog
from lookalike.database.banks import Match, MatchRate

ANSWER = Match(path="secret.jpg", sha256="ab" * 32, matches=(), rate=MatchRate(0, 0, 0, "default"))


def test_full_files_are_renamed_and_kept(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", most=1)
    requests = [log.add([ANSWER], banks=["one"], model="m") for _ in range(4)]
    files = [log.path.with_name(f"audit.jsonl.{number}") for number in (1, 2, 3)]
    assert [json.loads(file.read_text())["request"] for file in [*files, log.path]] == requests


def test_several_writers_keep_lines_whole(tmp_path: Path) -> None:
    logs = [AuditLog(tmp_path / "audit.jsonl", most=2000) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        requests = list(threads.map(lambda turn: logs[turn % 4].add([ANSWER] * 2, banks=["one"], model="m"), range(40)))
    lines = [
        json.loads(line)
        for file in tmp_path.glob("audit.jsonl*")
        if file.suffix != ".lock"
        for line in file.read_text().splitlines()
    ]
    assert sorted(line["request"] for line in lines) == sorted(requests * 2)
    assert "secret" not in json.dumps(lines)
