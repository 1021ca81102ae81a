"""Ids stored as runs equal the listed ids."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lookalike.store.derived.codefile import RowIds, runs

IDS = st.sets(st.integers(0, 60) | st.integers(0, 2**40), max_size=40).map(sorted)


@given(IDS, st.lists(st.booleans(), max_size=64))
def test_runs_are_as_good_as_a_list(ids: list[int], passes: list[bool]) -> None:
    ids_N, passes_I = np.array(ids, np.int64), np.array(passes, bool)
    runs_R2 = runs(ids_N)
    assert len(runs_R2) == sum(id_ - 1 not in set(ids) for id_ in ids)
    for told in (RowIds(ids_N), RowIds(runs_R2=runs_R2)):
        assert len(told) == len(ids)
        assert [told[row] for row in range(len(ids))] == ids
        assert told.all.tolist() == ids
        assert told.all.dtype == np.int64
        rows_I = np.arange(len(ids))[::-2]
        assert told.of(rows_I).tolist() == ids[::-2]
        assert told.of(rows_I).dtype == np.int64
        later = told.followed_by(np.array([7, 3, 4], np.int64))
        assert later.all.tolist() == [*ids, 7, 3, 4]
        assert [later[row] for row in range(len(later))] == [*ids, 7, 3, 4]
        if len(passes):
            assert told.among(passes_I).tolist() == [id_ < len(passes) and passes[id_] for id_ in ids]
