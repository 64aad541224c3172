"""The look-ups that are timed find what is there. Nothing is timed."""

from __future__ import annotations

import pytest

from benchmarks.tables.contenders import CONTENDERS


@pytest.mark.parametrize("entries", [1, 10, 3000])
@pytest.mark.parametrize("name", CONTENDERS)
def test_contenders(name: str, entries: int) -> None:
    """Each finds the entry of each key."""
    job = CONTENDERS[name](entries)
    job.run()
    assert job.found() == job.expected
    assert set(job.expected) <= set(range(entries))
