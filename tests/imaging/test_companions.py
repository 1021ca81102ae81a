"""Recognition of a photo's companion files by their names."""

from __future__ import annotations

import pytest

from lookalike.imaging.companions import by_owner, is_companion, is_sidecar

LONG = "a" * 44 + ".jpg"  # 48 characters, of which Takeout keeps 46


@pytest.mark.parametrize(
    ("photo", "companion"),
    [
        ("IMG_1.JPG", "IMG_1.xmp"),
        ("IMG_1.JPG", "img_1.XMP"),
        ("IMG_1.JPG", "IMG_1.JPG.xmp"),
        ("IMG_1.CR2", "IMG_1_01.CR2.xmp"),
        ("IMG_1.HEIC", "IMG_1.MOV"),
        ("IMG_1.HEIC", "IMG_1_HEVC.MOV"),
        ("IMG_1.HEIC", "IMG_1.AAE"),
        ("IMG_1234.HEIC", "IMG_O1234.AAE"),
        ("PXL_1.jpg", "PXL_1.MP"),
        ("PXL_1.MP.jpg", "PXL_1.MP"),
        ("IMG_1.jpg", "IMG_1.mp4"),
        ("IMG_1.jpg", "IMG_1.json"),
        ("IMG_1.jpg", "IMG_1.jpg.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemen.json"),
        ("IMG_1.jpg", "IMG_1.jpg..json"),
        ("IMG_1(2).jpg", "IMG_1.jpg(2).json"),
        ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.suppl.json"),
        (LONG, LONG[:46] + ".json"),
        ("DSC1.ARW", "DSC1.WAV"),
        ("CRW_1.CRW", "CRW_1.THM"),
        ("MVI_1.AVI", "MVI_1.THM"),
        ("a.raf", "a.RAF.pp3"),
        ("a.nef", "a.nef.dop"),
        ("a.nef", "a.on1"),
    ],
)
def test_a_companion_belongs_to_its_photo(photo: str, companion: str) -> None:
    folder = [photo, companion, "other.jpg", "other.xmp", "IMG_10.JPG"]
    assert by_owner(folder)[photo] == [companion]
    assert [owner for owner, some in by_owner(folder).items() if companion in some] == [photo]
    assert is_companion(companion)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("IMG_1 (1).JPG", "IMG_1.xmp"),
        ("IMG_1(1).JPG", "IMG_1.JPG.xmp"),
        ("IMG_1.JPG", "IMG_1 (1).MOV"),
        ("IMG_1.jpg", "IMG_1.jpg(1).json"),
        ("IMG_1.JPG", "IMG_10.xmp"),
        ("IMG_1.JPG", "IMG_1.DNG"),  # a photo is no companion
        ("IMG_1.JPG", "IMG_1.PNG.xmp"),
        ("IMG_1.mov", "IMG_1.mp4"),
        ("notes.txt", "notes.json"),
        ("notes.txt", "notes.mov"),
        ("IMG_1.JPG", "IMG_1.JPG"),
    ],
)
def test_what_belongs_to_another_is_not_claimed(name: str, other: str) -> None:
    assert name not in by_owner([name, other])


def test_a_companion_of_two_photos_belongs_to_both() -> None:
    folder = ["IMG_1.JPG", "IMG_1.DNG", "IMG_1.xmp", "IMG_1.JPG.xmp"]
    assert by_owner(folder) == {"IMG_1.DNG": ["IMG_1.xmp"], "IMG_1.JPG": ["IMG_1.JPG.xmp", "IMG_1.xmp"]}


def test_a_version_of_darktable_belongs_to_a_photo_of_that_very_name_if_there_is_one() -> None:
    assert "IMG_1.CR2" not in by_owner(["IMG_1.CR2", "IMG_1_01.CR2", "IMG_1_01.CR2.xmp"])


def test_sidecars_are_not_images_even_alone() -> None:
    assert all(map(is_sidecar, ["a.xmp", "a.AAE", "a.jpg.json", "a.jpg.supplemental-metadata.json"]))
    assert not any(map(is_sidecar, ["a.mov", "a.json", "a.jpg", "a"]))
