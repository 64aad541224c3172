"""Fixtures of the live tests; `VXLANPKT_REQUIRE_LIVE=1` turns each skip for lack of means into a failure."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .namespaces import missing, sweep
from .rig import Rig


@pytest.fixture(scope="session")
def means() -> None:
    """Skip, with the reason, where the live tests cannot run; fail there if they are required."""
    reason = missing()
    if reason is None:
        sweep()
    elif os.environ.get("VXLANPKT_REQUIRE_LIVE") == "1":
        pytest.fail(f"live tests are required, but: {reason}", pytrace=False)
    else:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def rig(means: None) -> Iterator[Rig]:
    """One underlay for the whole run; each test puts its own vxlan device on it."""
    made = Rig()
    try:
        yield made
    finally:
        made.close()
