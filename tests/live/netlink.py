"""What the `ip` program may be too old to say to the kernel."""

from __future__ import annotations

import os
import socket
import struct

from .namespaces import Namespace

_RTM_NEWLINK, _REQUEST_AND_ACKNOWLEDGE, _NLMSG_ERROR = 16, 1 | 4, 2
_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_INFO_KIND, _IFLA_INFO_DATA = 3, 18, 1, 2
_IFLA_VXLAN_LABEL_POLICY, _LABEL_INHERIT = 32, 1


def inherit_flow_label(namespace: Namespace, device: str) -> None:
    """As `ip link set DEVICE type vxlan flowlabel inherit` of iproute2 6.7 and later."""
    data = _attribute(_IFLA_VXLAN_LABEL_POLICY, struct.pack("=I", _LABEL_INHERIT))
    info = _attribute(_IFLA_INFO_KIND, b"vxlan") + _attribute(_IFLA_INFO_DATA, data)
    attributes = _attribute(_IFLA_IFNAME, device.encode() + b"\0") + _attribute(_IFLA_LINKINFO, info)
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, 0, 0) + attributes
    head = struct.pack("=IHHII", 16 + len(body), _RTM_NEWLINK, _REQUEST_AND_ACKNOWLEDGE, 1, 0)
    with namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as end:
        end.settimeout(10.0)
        end.send(head + body)
        answer = end.recv(4096)
    kind, error = struct.unpack_from("=4xH10xi", answer)
    assert kind == _NLMSG_ERROR
    if error:
        raise OSError(-error, os.strerror(-error))


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)
