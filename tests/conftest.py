"""The hypothesis profiles: how many examples a property gets, chosen by HYPOTHESIS_PROFILE or --hypothesis-profile."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

# No test has a deadline: machines that others use too are slow now and then.
settings.register_profile("sanitizers", max_examples=50, deadline=None)
settings.register_profile("developer", max_examples=100, deadline=None)
# The same examples each time, so that a change fails for what it changed; new ones are for the night.
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.register_profile("nightly", max_examples=100_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "developer"))


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay to the end: the garbage collector is not to look at them each time."""
    gc.collect()
    gc.freeze()
