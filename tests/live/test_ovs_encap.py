"""Open vSwitch and `Tunnel.ovs` make the same outer frames, byte for byte."""

from __future__ import annotations

import pytest

from .encapsulators import NOT_FOLLOWED_OF_OVS, OVS, SENT_TO_OVS, Setting, ovs_row
from .ovs import Switch

pytestmark = pytest.mark.live


@pytest.mark.parametrize("setting", OVS, ids=lambda setting: setting.name)
def test_outer_frames(switch: Switch, setting: Setting) -> None:
    """All but the source port is known beforehand, and the port lies in its range."""
    row = ovs_row(switch, setting)
    assert row.exceptions == list(NOT_FOLLOWED_OF_OVS)
    assert row.equal == len(SENT_TO_OVS) - len(NOT_FOLLOWED_OF_OVS)
