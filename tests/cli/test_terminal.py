"""Output cannot control the terminal, and is unchanged for programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lookalike.__main__ import main
from lookalike.cli import terminal
from lookalike.core.errors import MissingExtra
from lookalike.imaging.formats import kinds
from tests.conftest import encoded

from .conftest import Run

HOSTILE = "a\x1b]0;title\x07\n\u202egpj.png"
HARMLESS = r"a\x1b]0;title\x07\x0a\u202egpj.png"


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


def test_a_path_for_programs_is_as_its_bytes_are() -> None:
    assert terminal.shown(Path(HOSTILE)) == HOSTILE
    assert terminal.shown("\udcff") == "\udcff"


@pytest.mark.usefixtures("on_terminal")
def test_a_path_on_a_terminal_is_text() -> None:
    assert terminal.shown(Path(HOSTILE)) == HARMLESS
    assert terminal.shown("\udcff \ud800") == r"\udcff \ud800"
    assert terminal.shown("caf\udce9 \N{SNOWMAN}.png") == "caf\\xe9 \N{SNOWMAN}.png"


def test_talk_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say(f"one\n\t{HOSTILE[:2]}")
    assert capsys.readouterr().err == "one\n\ta\\x1b\n"


def test_errors_name_files_harmlessly(run: Run, tmp_path: Path) -> None:
    result = run("search", tmp_path / HOSTILE[:-4], "--db", tmp_path / "absent\x1b[2J")
    assert result.code == 1
    assert "\x1b" not in result.err
    assert "absent\\x1b[2J" in result.err


def test_commands_that_print_paths(
    run: Run, pictures: list[Image.Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, db = tmp_path / "photos", tmp_path / "db"
    folder.mkdir()
    for age, name in enumerate(("copy.png", HOSTILE)):
        (folder / name).write_bytes(encoded(pictures[1], "png"))
        os.utime(folder / name, (age, age))
    (folder / f"bad {HOSTILE}").write_bytes(b"\x89PNG\r\n\x1a\n")
    plan = tmp_path / "plan.json"
    for command in (
        ("index", folder, "--db", db), ("search", folder / HOSTILE, folder / "copy.png", "--db", db),
        ("encode", folder / HOSTILE), ("duplicates", "--db", db), ("info", "--db", db, "--paths"),
        ("info", "--db", db, "--errors"), ("leakage", folder, folder, "--db", db),
        ("plan", plan, "--db", db),
        ("apply", plan, "--db", db, "--trash", tmp_path / "trash", "--dry-run"),
    ):  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setattr(sys.stdout, "isatty", lambda: True)
            result = run(*command)
        assert result.out or result.err
        assert not {"\x1b", "\x07", "\u202e"} & set(result.out + result.err), command
    assert HARMLESS in result.out


EVERY_STEP = """
import itertools, sys
from lookalike.cli import terminal
from lookalike.core.errors import MissingExtra
from lookalike.imaging import formats

code = terminal.quiet_decoders.__wrapped__.__code__

def interrupting(at):
    steps = itertools.count(1)
    def follow(frame, event, _):
        if event == "line" and next(steps) == at:
            sys.settrace(None)
            raise KeyboardInterrupt
        return follow
    return lambda frame, event, _: follow if frame.f_code is code else None

for at in itertools.count(1):
    sys.settrace(interrupting(at))
    try:
        with terminal.quiet_decoders():
            pass
        sys.settrace(None)
        break
    except KeyboardInterrupt:
        terminal.say(f"stopped at {at}")
print(at)
"""


def test_ctrl_c_is_answered_wherever_the_decoders_are_made_quiet() -> None:
    done = subprocess.run([sys.executable, "-c", EVERY_STEP], capture_output=True, text=True, timeout=60)
    steps = int(done.stdout)
    assert steps > 10
    assert done.stderr.splitlines() == [f"stopped at {at}" for at in range(1, steps)]


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("where", ["lookalike.cli.main", "lookalike.cli._Commands.make_context"])
def test_ctrl_c_before_a_command_begins(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(where, interrupted)
    monkeypatch.setattr(sys, "argv", ["lookalike", "info"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert (stopped.value.code, capsys.readouterr().err) == (130, "lookalike: Stopped\n")


def test_what_is_of_another_kind_is_counted_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [(name, f"a video, {kinds.EXACT_ONLY}") for name in ("a.mov", "b.mov")]
    problems += [
        ("c.svg", f"an SVG drawing, {kinds.EXACT_ONLY}"),
        ("d.txt", kinds.NO_IMAGE),
        ("e.jpg", "is cut off"),
    ]
    terminal.name_problems(problems, more="info")
    said = capsys.readouterr().err
    assert "e.jpg: is cut off" in said
    assert "4 files are not images in a supported format: 2 × video, 1 × SVG drawing" in said
    assert "to compare pictures among them, save them as JPEG, PNG or TIFF" in said


def test_files_that_need_an_extra_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [(f"{number}.heic", str(MissingExtra(kinds._NEEDS["heic"], "heic"))) for number in range(8)]
    terminal.name_problems([*problems, ("a.jxl", str(MissingExtra(kinds._NEEDS["jxl"], "jxl")))], more="info")
    heic, jxl = capsys.readouterr().err.splitlines()
    assert heic.startswith("  8 HEIC images need pi-heif. Install it with: pip install 'lookalike[heic]'")
    assert jxl.startswith("  1 JPEG XL image needs imagecodecs. Install it with: pip install 'lookalike[jxl]'")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_nothing_that_is_printed_acts_on_a_terminal() -> None:
    import pty

    code = (
        "import sys, typer; from lookalike.cli import terminal; terminal.escape_stdout();"
        "typer.echo('a\\x1b[2Jb\\u202egpj.exe\\tc\\nd');"
        "sys.stdout.write('\\x07')"
    )
    master, slave = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stdout=slave) as child:
        os.close(slave)
        said = b""
        while chunk := _read(master):
            said += chunk
        assert child.wait() == 0
    os.close(master)
    assert said.replace(b"\r\n", b"\n") == b"a\\x1b[2Jb\\u202egpj.exe\tc\nd\n\\x07"


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1000)
    except OSError:  # the other end is closed
        return b""
