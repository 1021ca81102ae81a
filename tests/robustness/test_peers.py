"""What peers say of an image is what their own packages, or the model itself, say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.codes import hamming, unpack
from lookalike.core.errors import ConfigError, MissingExtra
from lookalike.hasher import Hasher
from lookalike.robustness import peers
from lookalike.robustness.peers import PEERS, STEPS, Peer
from tests.conftest import encoded

pytest.importorskip("imagehash")
pytest.importorskip("pdqhash")


def pixels(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.array(picture)


@pytest.mark.parametrize("name", PEERS)
def test_codes_have_the_bits_that_they_say(name: str, pictures: list[Image.Image]) -> None:
    peer = peers.find(name)
    codes = [peer.encode(pixels(picture)) for picture in pictures]
    assert {(code.dtype, code.shape) for code in codes} == {(np.dtype(np.uint8), (peer.bits // 8,))}
    assert peer.name == name
    assert peer.greatest == peer.scale == peer.bits
    assert peer.versions


def test_imagehash_and_pdq_are_theirs(pictures: list[Image.Image]) -> None:
    import imagehash
    import pdqhash

    for picture in pictures[:5]:
        theirs = {
            "phash": imagehash.phash(picture, hash_size=8).hash,
            "phash-256": imagehash.phash(picture, hash_size=16).hash,
            "dhash": imagehash.dhash(picture, hash_size=8).hash,
            "dhash-256": imagehash.dhash(picture, hash_size=16).hash,
            "pdq": pdqhash.compute(pixels(picture))[0],
        }
        for name, bits in theirs.items():
            assert np.array_equal(unpack(peers.find(name).encode(pixels(picture))), np.ravel(bits).astype(bool)), name


def test_a_model_says_what_it_says_of_the_same_pixels_in_a_file(model: Path, pictures: list[Image.Image]) -> None:
    peer, hasher = peers.find(str(model)), Hasher.load(model)
    for picture in pictures[:5]:
        assert np.array_equal(peer.encode(pixels(picture)), hasher.encode(encoded(picture, "png"))[0])
    assert (peer.bits, peer.name) == (64, model.stem)


@pytest.mark.parametrize("width", [1, 2, 8, 9, 32])
def test_distances_of_codes_are_bits(width: int) -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (n, width), np.uint8) for n in (5, 7))
    peer = Peer(name="", bits=8 * width, note="", encode=lambda pixels: pixels)
    assert np.array_equal(peer.distances(one, other), hamming(one, other))


def test_distances_of_vectors_are_steps_of_1_minus_cosine() -> None:
    rng = np.random.default_rng(0)
    one, other = (np.stack([peers.unit(row) for row in rng.normal(size=(n, 16))]) for n in (5, 7))
    peer = Peer(name="", bits=0, note="", encode=lambda pixels: pixels)
    found = peer.distances(one, other)
    for row, vector in enumerate(one):
        for at, another in enumerate(other):
            assert found[row, at] == round(
                1000 * (1 - sum(float(a) * float(b) for a, b in zip(vector, another, strict=True)))
            )
    assert peer.distances(one, -one)[0, 0] == peer.greatest == 2 * STEPS
    assert peer.in_words(250) == "cosine 0.750"
    assert np.array_equal(peers.unit(np.zeros(3)), np.zeros(3))


def test_unknown_peers_are_refused_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no peer 'neuralhash'; there are phash, dhash"):
        peers.find("neuralhash")
    monkeypatch.setitem(__import__("sys").modules, "pdqhash", None)
    with pytest.raises(MissingExtra, match=r"lookalike\[robustness\]"):
        peers.find("pdq")
