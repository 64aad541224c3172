"""Open vSwitch and `Tunnel.ovs` make the same outer frames, byte for byte."""

from __future__ import annotations

import pytest

from .encapsulators import OVS, Row, Setting, outer_frames, ovs_ends, row_of
from .inner_frames import FRAMES
from .ovs import Switch

pytestmark = pytest.mark.live

# The kernel keeps this one from the switch.
_UNSENDABLE = "a tag and nothing behind it"
SENT = {name: frame for name, frame in FRAMES.items() if name != _UNSENDABLE}

_VERSION = "the version is not that of the EtherType: the switch takes the fields all the same, a recipe takes none"
EXCEPTIONS = dict.fromkeys(
    ("IPv4 by EtherType, version 5", "IPv6 by EtherType, version 5", "IPv6 by EtherType, IPv4 inside"), _VERSION
)


def agreement(switch: Switch) -> list[Row]:
    """A row for each setting of the tunnel port."""
    return [_row(switch, setting) for setting in OVS]


def _row(switch: Switch, setting: Setting) -> Row:
    with ovs_ends(switch, setting) as (send, underlay):
        seen = outer_frames(send, underlay, SENT)
    return row_of(setting.name, setting.ovs_tunnel(), SENT, seen)


@pytest.mark.parametrize("setting", OVS, ids=lambda setting: setting.name)
def test_outer_frames(switch: Switch, setting: Setting) -> None:
    """All but the source port is known beforehand, and the port lies in its range."""
    row = _row(switch, setting)
    assert row.exceptions == list(EXCEPTIONS)
    assert row.equal == len(SENT) - len(EXCEPTIONS)
