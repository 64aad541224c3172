"""Hypothesis's profiles, chosen by HYPOTHESIS_PROFILE or --hypothesis-profile, and a worker for each processor."""

from __future__ import annotations

import gc
import os
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


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """All tests at once take a worker of pytest-xdist a processor; a few that are asked for are quicker without."""
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if "PYTEST_XDIST_WORKER" in os.environ:  # it is one of them
        return
    if everything and getattr(config.option, "numprocesses", 0) is None and not config.option.usepdb:
        config.option.numprocesses = "auto"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What a file makes for its tests is made once, and so are the networks of the live ones."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc] # which is Any
        def _split_scope(self, nodeid: str) -> str:
            return "tests/live" if nodeid.startswith("tests/live/") else nodeid.partition("::")[0]

    return ByFile(config, log)


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay to the end: the garbage collector is not to look at them each time."""
    gc.collect()
    if hasattr(gc, "freeze"):  # PyPy has another collector
        gc.freeze()
