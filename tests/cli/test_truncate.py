"""Shorter codes of models with nested codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.references.encoders import write_encoder

from .conftest import Run

pytest.importorskip("torch")


def test_a_truncated_model_gives_the_first_bits(run: Run, photo_folder: Path, tmp_path: Path) -> None:
    whole, short = tmp_path / "whole.onnx", tmp_path / "short.onnx"
    settings = ["--model", "pca", "--backbone", write_encoder(tmp_path), "--bits", 32]
    assert run("train", photo_folder, *settings, "--out", whole).code == 0
    truncated = run("truncate", whole, "--bits", 16, "--out", short)
    assert (truncated.code, truncated.err) == (0, "")
    assert truncated.out == f"{short}: pca-16, the first 16 bits of the codes of {whole}\n"
    codes = [run("encode", photo_folder, "--model", path, "--json").out.splitlines() for path in (whole, short)]
    assert len(codes[0]) == 40
    for long, first in zip(*(map(json.loads, one) for one in codes), strict=True):
        assert (first["path"], first["code"]) == (long["path"], long["code"][:4])


def test_a_model_whose_first_bits_are_not_codes_is_refused(run: Run, tmp_path: Path) -> None:
    refused = run("shorten", "default", "--bits", 16, "--out", tmp_path / "short.onnx")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1)
    assert "are codes for these lengths: none. Train with --matryoshka" in refused.err
    assert not (tmp_path / "short.onnx").exists()
