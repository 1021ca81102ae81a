"""What peers say of an image is what their own packages, or the model itself, say of it."""

from __future__ import annotations

from importlib.metadata import requires
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.codes import hamming as differing_bits
from lookalike.core.codes import unpack
from lookalike.core.errors import ConfigError, MissingExtra
from lookalike.hasher import Hasher
from lookalike.robustness import peers
from lookalike.robustness.peers import ABSOLUTE, COSINE, PEERS, STEPS, USUAL, hamming
from tests.conftest import encoded

pytest.importorskip("imagehash")
pytest.importorskip("pdqhash")


MODULES = {"photodna": "photo_dna_rs", "iscc": "iscc_core"}


def pixels(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.array(picture)


@pytest.mark.parametrize("name", PEERS)
def test_codes_have_the_bits_that_they_say(name: str, pictures: list[Image.Image]) -> None:
    if (module := MODULES.get(name.partition("-")[0])) is not None:
        pytest.importorskip(module, reason=f"the peer {name} is optional")
    peer = peers.find(name)
    rows = [peer.encode(pixels(picture)) for picture in pictures]
    length = 144 if name == "photodna" else peer.measure.bits // 8
    assert {(row.dtype, row.shape) for row in rows} == {(np.dtype(np.uint8), (length,))}
    assert peer.name == name
    assert peer.measure.greatest == (8 if peer.measure.bits else 255) * length
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
    assert (peer.measure.bits, peer.name) == (64, model.stem)


@pytest.mark.parametrize("width", [1, 2, 8, 9, 32])
def test_distances_of_codes_are_bits(width: int) -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (n, width), np.uint8) for n in (5, 7))
    assert np.array_equal(hamming(8 * width).distances(one, other), differing_bits(one, other))


def test_distances_of_vectors_are_steps_of_1_minus_cosine() -> None:
    rng = np.random.default_rng(0)
    one, other = (np.stack([peers._unit(row) for row in rng.normal(size=(n, 16))]) for n in (5, 7))
    found = COSINE.distances(one, other)
    for row, vector in enumerate(one):
        for at, another in enumerate(other):
            assert found[row, at] == round(
                1000 * (1 - sum(float(a) * float(b) for a, b in zip(vector, another, strict=True)))
            )
    assert COSINE.distances(one, -one)[0, 0] == COSINE.greatest == 2 * STEPS
    assert COSINE.in_words(250) == "cosine 0.750"
    assert np.array_equal(peers._unit(np.zeros(3)), np.zeros(3))


def test_distances_of_photodna_are_absolute_differences() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (n, 144), np.uint8) for n in (3, 4))
    found = ABSOLUTE.distances(one, other)
    for row, others in zip(one.tolist(), found.tolist(), strict=True):
        assert others == [sum(abs(a - b) for a, b in zip(row, another, strict=True)) for another in other.tolist()]
    ends = np.array([[0] * 144, [255] * 144], np.uint8)
    assert ABSOLUTE.distances(ends, ends).max() == ABSOLUTE.greatest
    assert ABSOLUTE.in_words(4390) == "4390 of 36720 levels"


def test_photodna_is_theirs(pictures: list[Image.Image], tmp_path: Path) -> None:
    photo_dna_rs = pytest.importorskip("photo_dna_rs", reason="the peer photodna is optional")
    peer = peers.find("photodna")
    for picture in pictures[:5]:
        picture.save(tmp_path / "picture.png")
        theirs = photo_dna_rs.Hash.from_image_path(tmp_path / "picture.png").as_bytes()
        assert peer.encode(pixels(picture)).tobytes() == theirs
    assert peer.encode(np.zeros((1, 9, 3), np.uint8)).shape == (144,)


def test_iscc_is_theirs(pictures: list[Image.Image]) -> None:
    iscc_core = pytest.importorskip("iscc_core", reason="the peer iscc is optional")
    for picture in pictures[:5]:
        small = picture.convert("L").resize((32, 32), Image.Resampling.BICUBIC)
        theirs = iscc_core.gen_image_code(list(small.tobytes()), bits=256)["iscc"]
        for name, bits in (("iscc-256", 256), ("iscc", 64)):
            code = peers.find(name).encode(pixels(picture)).tobytes()
            assert code == iscc_core.decode_base32(theirs.removeprefix("ISCC:"))[2 : 2 + bits // 8], name


def test_iscc_sees_no_border(pictures: list[Image.Image]) -> None:
    inside = pixels(pictures[0])
    framed = np.pad(inside, ((5, 9), (3, 0), (0, 0)), constant_values=int(inside[0, 0, 0]) ^ 128)
    assert peers._iscc_pixels(framed) == peers._iscc_pixels(inside)
    assert peers._iscc_pixels(np.full((9, 5, 3), 7, np.uint8)) == [7] * 1024


@pytest.mark.parametrize(("name", "package"), [("photodna", "photo-dna-rs"), ("iscc", "iscc-core")])
def test_packages_of_no_extra_are_named_with_their_remedy(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, MODULES[name], None)
    with pytest.raises(ConfigError, match=rf"package {package} \(.*never installs. .*: pip install {package}$"):
        peers.find(name)
    assert not [line for line in requires("lookalike") or () if line.startswith(package)]
    assert not {name, f"{name}-64"} & {*USUAL}


def test_unknown_peers_are_refused_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no peer 'neuralhash'; there are phash, dhash"):
        peers.find("neuralhash")
    monkeypatch.setitem(__import__("sys").modules, "pdqhash", None)
    with pytest.raises(MissingExtra, match=r"lookalike\[robustness\]"):
        peers.find("pdq")
