"""The devices of a node in user space: what fails half-way is made anew."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv4Interface

import pytest

from vxlanpkt.overlay import Underlay, plan
from vxlanpkt.overlay.datapath.data_plane import DataPlane

from .kernel_node import kernel_node, lease

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("means")]

LOCAL = Underlay("eth0", 1500, IPv4Address("198.18.0.1"), addresses=frozenset([IPv4Interface("198.18.0.1/16")]))


def test_device_deleted_while_its_mtu_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loops were stopped for the change, and tell nobody that it has gone."""
    with kernel_node("4", "4", Type="vxlan-user") as node:
        own = lease(1, inside="4", outside="4")
        plane = DataPlane(node.config)
        try:
            assert node.namespace.call(lambda: plane.bring(plan(node.config, own, [], LOCAL)))
            path = plane._carriers["flannel.1"]._path
            stop = path.stop

            def late() -> None:
                stop()
                node.namespace.ip("link", "del", "flannel.1", check=False)

            monkeypatch.setattr(path, "stop", late)
            less = plan(node.config, own, [], dataclasses.replace(LOCAL, mtu=1400))
            with pytest.raises(OSError, match="No such device"):
                node.namespace.call(lambda: plane.bring(less))
            assert node.namespace.call(lambda: plane.bring(less))
            assert " mtu 1350 " in node.namespace.ip("link", "show", "flannel.1").stdout
        finally:
            plane.close()
