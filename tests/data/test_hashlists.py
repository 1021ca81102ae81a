"""Lists of hashes are read in the forms that people use; a wrong line is named, and nothing is taken then."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.core.errors import ConfigError, DataError
from lookalike.data import hashlists
from lookalike.data.hashlists import Listed

MD5, PDQ = "d41d8cd98f00b204e9800998ecf8427e", "f8" * 32
CODE = "2b3ad458fb3a5868"


def read(text: str, folder: Path, kind: str | None = None) -> tuple[list[Listed], int]:
    file = folder / "list"
    file.write_text(text, encoding="utf-8")
    return hashlists.read(file, kind, bits=64)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (f"{MD5}\n", "md5", Listed("md5", bytes.fromhex(MD5), "")),
        (f"\ufeff# of md5sum\n\n{MD5.upper()} *a b.jpg\n", "md5", Listed("md5", bytes.fromhex(MD5), "a b.jpg")),
        (f"{PDQ},100,a.jpg\n", "pdq", Listed("pdq", bytes.fromhex(PDQ), "a.jpg")),
        (
            f"signal_type,signal_value,bank_content_id\nHASH_PDQ,{PDQ},77\n",
            None,
            Listed("pdq", bytes.fromhex(PDQ), "77"),
        ),
        (f"Path;MD5\na.jpg;{MD5}\n", None, Listed("md5", bytes.fromhex(MD5), "a.jpg")),
        (f'{{"signal_type": "md5", "signal": "{MD5}"}}', None, Listed("md5", bytes.fromhex(MD5), "")),
        (f'[\n{{"type": "sha-1", "hash": "{"0" * 40}", "id": 3}}]', None, Listed("sha1", bytes(20), "3")),
        (f'{{"path": "a.jpg", "code": "{CODE}", "bits": 64}}\n', None, Listed("code", bytes.fromhex(CODE), "a.jpg")),
        (f"{CODE}\ta.jpg\n", "code", Listed("code", bytes.fromhex(CODE), "a.jpg")),
        (f"{CODE} 17\n", "phash", Listed("phash", bytes.fromhex(CODE), "17")),
        (f"{CODE}\n", "phash", Listed("phash", bytes.fromhex(CODE), "")),
    ],
)
def test_forms_of_lists(text: str, kind: str | None, expected: Listed, tmp_path: Path) -> None:
    assert read(text, tmp_path, kind) == ([expected], 0)


def test_pdq_hashes_of_low_quality_are_left_out(tmp_path: Path) -> None:
    found, poor = read(f"{PDQ},49,a.jpg\n{PDQ},50,b.jpg\n", tmp_path, "pdq")
    assert ([one.name for one in found], poor) == (["b.jpg"], 1)
    sized, poor = read(f"{'0' * 64},12,a.jpg\n", tmp_path, "sha256")  # a number that is no quality
    assert (len(sized), poor) == (1, 0)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (f"{MD5}\n# comment\nxyz\n", "md5", r"list, line 3: 'xyz' is no md5 hash; expected 32 hexadecimal digits"),
        (f"{PDQ}\n{PDQ[:-1]}g\n", "pdq", r"line 2: .* is no pdq hash; expected 64"),
        (f"{MD5}\n", None, r"line 1: the list does not say which hash this is; name it with --hash"),
        ("signal_type,signal_value\nvideo_md5,00\n", None, r"line 2: there is no hash 'video_md5'; there are md5,"),
        ('{"hash": "00"}\n{"hash"\n', "md5", r"line 1: '00' is no md5 hash"),
        (f'{{"md5": "{MD5}"}}\n{{"md5"\n', None, r"line 2: not JSON"),
        ('[{"path": "a"}]', None, r"entry 1: there is no hash; expected a field signal_value,"),
        ("[1]", None, r"entry 1: expected a JSON object, not 1"),
        ("[{,", None, r"line 1: not text, CSV or JSON in UTF-8"),
    ],
)
def test_a_wrong_line_is_named(text: str, kind: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as raised:
        read(text, tmp_path, kind)
    assert str(raised.value).endswith("Nothing was changed")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(DataError, match=r"photo\.jpg, line 0: not text, CSV or JSON in UTF-8"):
        hashlists.read(tmp_path / "photo.jpg", "md5", bits=64)
    with pytest.raises(DataError, match="No such file or directory; name a list"):
        hashlists.read(tmp_path / "nothing", "md5", bits=64)
    with pytest.raises(ConfigError, match="there is no hash 'crc'; there are md5"):
        hashlists.kind_of("crc")
