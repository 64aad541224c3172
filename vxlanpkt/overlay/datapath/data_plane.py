"""The devices and packet loops of the links that are not the kernel's: opened, told of peers, opened anew."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Literal

from vxlanpkt import DecapPolicy, MACAddress, Reason, Tunnel
from vxlanpkt.overlay.addresses import Address, Network
from vxlanpkt.overlay.datapath.datapath import DataPath, Ending
from vxlanpkt.overlay.datapath.devices import Device
from vxlanpkt.overlay.datapath.icmp_errors import ICMPErrors
from vxlanpkt.overlay.datapath.peers import Peers
from vxlanpkt.overlay.datapath.tunnel_gso import TunnelGSO
from vxlanpkt.overlay.leases.config import NetworkConfig
from vxlanpkt.overlay.plans.kernel_state import OverlayLink, Plan
from vxlanpkt.overlay.plans.planning import networks_of

_logger = logging.getLogger(__name__)

# What a loop counts when a frame or packet is lost.
_LOSSES = (
    "unknown_destination", "unsound_frames", "time_exceeded", "too_big", "no_buffers", "send_buffer_full",
    "send_errors", "receive_truncated", "receive_errors", "boundaries_lost", "write_errors", "read_errors",
)  # fmt: skip


class DataPlane:
    """The data paths of a node, one for each link of kind "tap" or "tun".

    queues      of each device
    on_gone     called, in a queue's thread, when a device or its socket is gone
    tunnel_gso  whether long frames of TCP are to leave as one, over VXLAN
    """

    def __init__(
        self,
        config: NetworkConfig,
        queues: int = 1,
        on_gone: Callable[[], None] | None = None,
        *,
        tunnel_gso: bool = False,
    ) -> None:
        self._config, self._queues, self._on_gone, self._tunnel_gso = config, queues, on_gone, tunnel_gso
        self._carriers: dict[str, _Carrier] = {}  # by the name of their link

    def bring(self, plan: Plan) -> bool:
        """Have what *plan* wants: devices that are gone or other than wanted are made anew. True if any was made.

        Raises `OSError` for what the kernel refuses; what could not be changed is made anew the next time.
        """
        wanted = {link.name: link for link in plan.links if link.kind != "vxlan"}
        for name, carrier in tuple(self._carriers.items()):
            if name not in wanted or not carrier.fits(wanted[name]):
                self._drop(name)
        new = [link for name, link in wanted.items() if name not in self._carriers]
        for link in new:
            self._carriers[link.name] = self._open(link)
        for name, link in wanted.items():
            try:
                self._carriers[name].use(link, plan)
            except OSError:  # its device may be gone, and its loops stand still
                self._drop(name)
                raise
        return bool(new)

    def _drop(self, name: str) -> None:
        self._carriers.pop(name).close()

    def _open(self, link: OverlayLink) -> _Carrier:
        carrier = _Carrier(self._config, link, self._queues, self._tell, self._tunnel_gso)
        if carrier.missing:
            _logger.warning("%s: the kernel lacks %s: it does without", link.name, ", ".join(carrier.missing))
        return carrier

    def _tell(self, ending: Ending) -> None:
        _logger.warning("a queue ended: %s", ending.name.replace("_", " ").lower())
        if self._on_gone is not None:
            self._on_gone()

    def losses(self, name: str) -> dict[str, int]:
        """What was refused of the peers' datagrams, by reason, and what else was lost; nothing that is zero."""
        carrier = self._carriers.get(name)
        return {} if carrier is None else carrier.losses()

    def missing(self, name: str) -> tuple[str, ...]:
        """What the kernel lacks for the device of that name."""
        carrier = self._carriers.get(name)
        return () if carrier is None else carrier.missing

    def tunnel_gso_frames(self, name: str) -> int:
        """How many long frames from the device of that name left as one."""
        carrier = self._carriers.get(name)
        return 0 if carrier is None else carrier.tunnel_gso_frames

    def close(self) -> None:
        """End all loops, and remove their devices."""
        carriers, self._carriers = self._carriers, {}
        for carrier in carriers.values():
            carrier.close()


class _Carrier:
    """The device and the data path of one link."""

    def __init__(
        self, config: NetworkConfig, link: OverlayLink, queues: int, on_end: Callable[[Ending], None], tunnel_gso: bool
    ) -> None:
        self._config, self._link = config, link
        self._gateways: dict[tuple[int, MACAddress | None], Address] = {}
        with ExitStack() as undo:
            self._device = undo.enter_context(self._open_device(queues))
            self._gso = undo.enter_context(self._open_gso()) if tunnel_gso and link.kind == "tap" else None
            self._path = self._open_path(on_end)
            undo.callback(self._path.close)
            self._path.start()
            self._undo = undo.pop_all()

    def _open_device(self, queues: int) -> Device:
        link = self._link
        kind: Literal["tun", "tap"] = "tun" if link.kind == "tun" else "tap"
        try:
            return Device(link.name, kind, queues=queues, mtu=link.mtu, mac=link.mac)
        except OSError as error:
            raise OSError(error.errno, f"this {kind.upper()} cannot be opened: {error.strerror}", link.name) from error

    def _open_gso(self) -> TunnelGSO:
        link = self._link
        try:
            gso = TunnelGSO(link.underlay, link.local)
        except OSError as error:
            raise OSError(error.errno, f"no tunnel GSO: {error.strerror}", link.underlay) from error
        if gso.missing:
            _logger.warning("%s: no tunnel GSO: %s", link.name, gso.missing)
        return gso

    def _open_path(self, on_end: Callable[[Ending], None]) -> DataPath:
        link = self._link
        try:
            return DataPath(
                self._device,
                link.local,
                link.port,
                peers=Peers.udp({}) if link.kind == "tun" else Peers.vxlan({}),
                on_event=ICMPErrors(self._device, lambda version, mac: self._gateways.get((version, mac))),
                on_end=on_end,
                tunnel_gso=self._gso,
            )
        except OSError as error:
            at = f"UDP port {link.port} of {link.local}"
            raise OSError(error.errno, f"{at} cannot be had: {error.strerror}", link.name) from error

    def fits(self, link: OverlayLink) -> bool:
        """Whether the device is there, and serves as *link*: its MTU can be changed."""
        return not self._path.endings and dataclasses.replace(self._link, mtu=link.mtu) == link

    def use(self, link: OverlayLink, plan: Plan) -> None:
        """Serve as *link*, and send to the peers of *plan*, from now on."""
        if link != self._link:
            self._path.stop()
            self._device.mtu = link.mtu
            self._link = link
            self._path.start()
        sources = [source for source in plan.sources if source.version == self._link.local.version]
        if self._link.kind == "tun":
            self._path.replace_peers(self._udp_peers(plan, sources))
        else:
            self._path.replace_peers(self._vxlan_peers(plan, sources))

    def _udp_peers(self, plan: Plan, sources: list[Address]) -> Peers:
        # The network's first subnet is nobody's, so its first address is no node's own.
        self._gateways = {(network.version, None): network.network_address + 1 for network in networks_of(self._config)}
        routes: dict[Network, tuple[Address | str, int]] = {hop.network: (hop.remote, hop.port) for hop in plan.hops}
        return Peers.udp(routes, sources=sources)

    def _vxlan_peers(self, plan: Plan, sources: list[Address]) -> Peers:
        link, vni, mac = self._link, self._link.vni, self._link.mac
        assert vni is not None
        assert mac is not None
        self._gateways = {
            (entry.address.version, entry.mac): entry.address for entry in plan.neighbours if entry.link == link.name
        }
        stations = {
            entry.mac: Tunnel(vni, link.local, entry.remote, dst_port=link.port)
            for entry in plan.fdb
            if entry.link == link.name
        }
        base = DecapPolicy.LINUX_GBP if link.gbp else DecapPolicy.LINUX
        policy = base.replace(check_inner_source=False, vnis={vni})
        return Peers.vxlan(stations, sources=sources, policy=policy, own_macs=[mac])

    @property
    def missing(self) -> tuple[str, ...]:
        """What the kernel lacks of what was asked for."""
        is_one = len(self._device.queues) == 1
        lacks = [name for name in self._device.features.missing if not (is_one and name == "multi_queue")]
        return (*lacks, *(("tunnel_gso",) if self._gso is not None and self._gso.missing else ()))

    @property
    def tunnel_gso_frames(self) -> int:
        """How many long frames left as one."""
        return self._path.counters["tunnel_gso_frames"]

    def losses(self) -> dict[str, int]:
        refused = {
            reason.name.lower(): count for reason, count in self._path.reasons.items() if reason is not Reason.OK
        }
        counters = self._path.counters
        return refused | {name: counters[name] for name in _LOSSES if counters[name]}

    def close(self) -> None:
        self._undo.close()
