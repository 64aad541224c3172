"""`vxlanpkt-cni` and `vxlanpkt-ipam`: where they begin. The answer to VERSION needs no more than this file loads."""

from __future__ import annotations

import os
import sys

from vxlanpkt.cni.protocol.versions import plainly_asked, version_reply

TYPE_CHECKING = False  # `typing` takes long to import
if TYPE_CHECKING:
    from collections.abc import Mapping

    from vxlanpkt.cni.dispatch import Handler


def main() -> int:
    """`vxlanpkt-cni`: attach containers to the node's subnet, by way of another plugin."""
    stdin = _input()
    if _answered(stdin):
        return 0
    from vxlanpkt.cni.dispatch import dispatch

    return dispatch(_commands, stdin)


def ipam_main() -> int:
    """`vxlanpkt-ipam`: give out addresses of the ranges that it is told, and know who has which."""
    stdin = _input()
    if _answered(stdin):
        return 0
    from vxlanpkt.cni.dispatch import dispatch

    return dispatch(_ipam_commands, stdin)


def _commands() -> Mapping[str, Handler]:
    from vxlanpkt.cni.commands import COMMANDS

    return COMMANDS


def _ipam_commands() -> Mapping[str, Handler]:
    from vxlanpkt.cni.ipam.commands import COMMANDS

    return COMMANDS


def _input() -> bytes:
    return sys.stdin.buffer.read() if sys.stdin else b""  # None, where it is closed


def _answered(stdin: bytes) -> bool:
    """Whether it was a VERSION call in its usual form, which is answered at once."""
    if os.environ.get("CNI_COMMAND") != "VERSION":
        return False
    asked = plainly_asked(stdin)
    if asked is None:
        return False
    print(version_reply(asked))
    return True
