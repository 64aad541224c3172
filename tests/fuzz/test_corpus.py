"""The library on the corpus: each way through the C kernel that a fuzzer found, the Python kernel goes too."""

from __future__ import annotations

import pytest

from vxlanpkt.kernel import python

from .agreement import results
from .corpus import inputs
from .inputs import Input
from .layout import JOBS
from .survival import check

INPUTS = inputs()
every_job = pytest.mark.parametrize("job", JOBS)


@every_job
def test_both_kernels_agree(job: str) -> None:
    """Statuses, places, numbers and bytes."""
    pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
    from vxlanpkt.kernel import c

    of_job = [data for data in INPUTS if Input(data).job == job]
    assert len(of_job) > 50
    for data in of_job:
        assert results(c, data) == results(python, data)


@every_job
def test_the_library_survives(job: str) -> None:
    """It raises nothing but its own errors, and loses nothing."""
    for data in INPUTS:
        if Input(data).job == job:
            check(data)
