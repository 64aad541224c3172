"""Pauses between attempts: they grow, they are bounded, and they begin anew."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from vxlanpkt.overlay.leases.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(0.5, 3.0)
    assert [backoff.pause() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.pause() == 0.5


@given(failures=st.integers(1, 2000), seed=st.integers())
def test_those_who_fail_together_do_not_come_back_together(failures: int, seed: int) -> None:
    """Each pause is at least half of what it would be, and at most all of it, after however many failures."""
    whole, spread = Backoff(0.05, 2.0), Backoff(0.05, 2.0, Random(seed))
    for _ in range(failures):
        pause = whole.pause()
        assert 0.5 * pause <= spread.pause() <= pause <= 2.0
