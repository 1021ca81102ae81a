"""A quick look at thumbnails, a close one at files, and verdicts if a file is unreachable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from lookalike.imaging import thumbnails
from lookalike.imaging.edits.catalogue import perturb
from lookalike.verification import looks
from lookalike.verification.features import Array
from lookalike.verification.looks import Seen, reversed_
from lookalike.verification.verdict import Picture, Relation


def kept(*frames: Array) -> Sequence[Array]:
    """Frames as a database keeps them: small, as WebP of 2 kB."""
    return thumbnails.unpack(thumbnails.pack([Image.fromarray(frame) for frame in frames]))


def in_reach(*frames: Array) -> Seen:
    return Seen(kept(*frames), lambda: Picture(frames[0]))


def out_of_reach(*frames: Array) -> Seen:
    return Seen(kept(*frames))


@pytest.mark.parametrize(("edit", "strength"), [("jpeg", 20), ("crop", 0.25), ("rotate", 15), ("border", 0.1)])
def test_thumbnails_alone_prove_what_is_certain(photographs: list[Array], edit: str, strength: float) -> None:
    for number, picture in enumerate(photographs[:3]):
        found = looks.verdict(out_of_reach(picture), out_of_reach(perturb(picture, edit, strength, seed=number)))
        assert found.relation in (Relation.EDITED, Relation.SIMILAR), (number, found)
        assert found.verified == (found.relation is Relation.EDITED)
        if found.relation is Relation.EDITED:
            assert found.agreement >= looks.CERTAIN
            assert found.inliers >= looks.CERTAINLY_SEEN
        else:
            assert found.edits == ()


def test_a_copy_that_thumbnails_do_not_prove_is_not_verified(photographs: list[Array]) -> None:
    picture = photographs[2]
    written = perturb(picture, "text", 0.1, seed=2)
    found = looks.verdict(out_of_reach(picture), out_of_reach(written))
    assert (found.relation, found.verified, found.edits) == (Relation.SIMILAR, False, ())
    for first, second in (
        (in_reach(picture), out_of_reach(written)),
        (out_of_reach(picture), in_reach(written)),
    ):
        assert looks.verdict(first, second) == found
    close = looks.verdict(in_reach(picture), in_reach(written))
    assert (close.relation, close.verified) == (Relation.EDITED, True)


def test_pictures_that_have_nothing_in_common_are_not_read(photographs: list[Array]) -> None:
    def forbidden() -> Picture | None:
        raise AssertionError("it was read")

    first, second = (Seen(kept(picture), forbidden) for picture in photographs[1:3])
    assert looks.verdict(first, second).relation is Relation.DIFFERENT


def test_a_plain_thumbnail_gets_a_close_look() -> None:
    read = []

    def close() -> Picture | None:
        read.append(1)
        return Picture(np.full((100, 100, 3), 200, np.uint8))

    plain = np.full((60, 60, 3), 200, np.uint8)
    assert Seen([plain]).is_low_information
    looks.verdict(Seen([plain], close), Seen([plain], close))
    assert len(read) == 2


def test_plain_pictures_that_do_not_align_are_not_called_different_unseen() -> None:
    shade = np.linspace(120, 200, 320)[None, :, None] + np.linspace(0, 30, 240)[:, None, None]
    sky = np.broadcast_to(shade, (240, 320, 3)).astype(np.uint8).copy()
    sky[100:112, 150:170] = 40
    crop = sky[60:160, 100:230]
    assert Seen(kept(sky)).is_low_information
    for first, second in ((sky, crop), (crop, sky)):
        found = looks.verdict(out_of_reach(first), out_of_reach(second))
        assert not found.verified
        assert not found.relation.is_copy
        assert looks.verdict(in_reach(first), in_reach(second)).verified


def test_animations_are_copies_if_their_later_frames_agree(photographs: list[Array]) -> None:
    first, other, third = photographs[0], photographs[1], photographs[2]
    one = in_reach(first, other, third)
    again = in_reach(*(perturb(frame, "jpeg", 40) for frame in (first, other, third)))
    assert looks.verdict(one, again).relation is Relation.EDITED
    assert looks.verdict(one, in_reach(first, third, other)).relation is Relation.SAME_SCENE


def test_one_frame_of_an_animation_is_a_copy_and_said_so(photographs: list[Array]) -> None:
    still, animated = in_reach(photographs[0]), in_reach(*photographs)
    for pair in ((still, animated), (animated, still)):
        found = looks.verdict(*pair)
        assert (found.relation, found.edits) == (Relation.EDITED, ("frame",))


def test_plain_later_frames_agree(photographs: list[Array]) -> None:
    black, white = np.zeros((50, 50, 3), np.uint8), np.full((50, 50, 3), 255, np.uint8)
    first = photographs[0]
    assert looks.verdict(in_reach(first, black), in_reach(first, white)).relation is Relation.EDITED


def test_mirrored_pictures_are_looked_for_where_that_is_asked(photographs: list[Array]) -> None:
    picture, copy = in_reach(photographs[2]), in_reach(np.ascontiguousarray(photographs[2][:, ::-1]))
    assert "mirror" in looks.verdict(picture, copy).edits
    assert looks.verdict(picture, copy, mirrored=True).relation is Relation.EDITED
    upright = in_reach(perturb(photographs[2], "jpeg", 40))
    assert looks.verdict(picture, upright, mirrored=False).relation is Relation.EDITED


@pytest.mark.parametrize(("edit", "strength"), [("crop", 0.25), ("grey", 1), ("brighter", 1.6), ("rotate", 15)])
def test_a_reversed_verdict_is_that_of_the_other_order(photographs: list[Array], edit: str, strength: float) -> None:
    picture, copy = photographs[2], perturb(photographs[2], edit, strength, seed=2)
    forth, back = looks.verdict(in_reach(picture), in_reach(copy)), looks.verdict(in_reach(copy), in_reach(picture))
    turned = reversed_(forth)
    assert turned.relation is back.relation
    assert set(turned.edits) == set(back.edits)
    assert turned.transform == pytest.approx(back.transform, abs=0.01)
    assert turned.overlaps == pytest.approx(back.overlaps, abs=0.01)


def test_a_different_pair_reversed_stays_what_it_is(photographs: list[Array]) -> None:
    found = looks.verdict(in_reach(photographs[0]), in_reach(photographs[3]))
    assert reversed_(found) == found
