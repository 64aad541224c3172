"""Hypothesis's profiles, chosen by HYPOTHESIS_PROFILE or --hypothesis-profile, and workers for all tests at once."""

from __future__ import annotations

import gc
import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings

# No test has a deadline: machines that others use too are slow now and then.
settings.register_profile("sanitizers", max_examples=50, deadline=None)
settings.register_profile("developer", max_examples=100, deadline=None)
# The same examples each time, so that a change fails for what it changed; new ones are for the night.
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
# For .ci/branches: few, as what they reach is to be reached by tests that say so.
settings.register_profile("branches", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("nightly", max_examples=100_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "developer"))


# What takes longest comes first, so that the workers end together.
_FIRST = (
    "tests/live/test_cni.py", "tests/docs/test_examples.py", "tests/live/test_cni_runtimes.py", "tests/live/",
    "tests/fuzz/test_target.py", "tests/overlay/test_etcd_store.py", "tests/cli/test_overlay.py",
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """All tests at once take workers of pytest-xdist; a few that are asked for are quicker without."""
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if "PYTEST_XDIST_WORKER" in os.environ:  # it is one of them
        return
    if everything and getattr(config.option, "numprocesses", 0) is None and not config.option.usepdb:
        config.option.numprocesses = _workers()


def _workers() -> int:
    """One for each processor, and one more where the live tests run, which wait half of their time."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors + (hasattr(os, "geteuid") and os.geteuid() == 0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Files stay whole, as what one makes for its tests is made once; they are handed out as they are collected."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where there are several workers: what takes long, then what has many tests."""
    if not hasattr(config, "workerinput"):
        return
    counts = Counter(_file(item) for item in items)

    def place(item: pytest.Item) -> tuple[int, int, str]:
        file = _file(item)
        rank = next((at for at, name in enumerate(_FIRST) if file.startswith(name)), len(_FIRST))
        return rank, -counts[file], file

    items.sort(key=place)


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay to the end: the garbage collector is not to look at them each time."""
    gc.collect()
    if hasattr(gc, "freeze"):  # PyPy has another collector
        gc.freeze()
