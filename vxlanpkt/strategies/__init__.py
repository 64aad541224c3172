"""Hypothesis strategies for packets, tunnels, policies and batches: to test what is built on this library.

Needs the package `hypothesis`, which nothing else here does.

    from hypothesis import given
    from vxlanpkt import decap
    from vxlanpkt.strategies import frames, tunnels

    @given(tunnel=tunnels(), inner=frames())
    def test_my_switch(tunnel, inner):
        assert my_switch(tunnel.encap(inner.build(), identification=0)) == [inner.build()]

What is valid        `frames` and `vxlan_frames` give `Packet` values whose lengths, checksums and next headers are
                     None, to be derived, and `parse(packet.build()) == packet.resolve()`.
What is not          `damaged`, `mutated` and `truncated` take strategies of packets or bytes and give bytes that were
                     damaged; `hostile_frames` gives bytes with the lies that break parsers.
What carries them    `tunnels`, `tunnel_tables`, `policies`, `batches`; `captures` and `recordings`, files of records.
What chooses         `filter_expressions`, text for a `Filter`.
What an overlay has  `networks` and `route_tables`, `forwarding_tables`, `neighbour_questions`, `agent_statuses`;
                     `overlays`, what `plan` makes a `Plan` of.
What CNI says        `cni_results`, `cni_containers`.
Single values        `macs`, `ipv4s`, `ipv6s`, `vnis`.
"""

from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use

if TYPE_CHECKING:
    from vxlanpkt.strategies.batching import batches as batches
    from vxlanpkt.strategies.batching import captures as captures
    from vxlanpkt.strategies.batching import recordings as recordings
    from vxlanpkt.strategies.containers import cni_containers as cni_containers
    from vxlanpkt.strategies.containers import cni_results as cni_results
    from vxlanpkt.strategies.damage import damaged as damaged
    from vxlanpkt.strategies.damage import hostile_frames as hostile_frames
    from vxlanpkt.strategies.damage import mutated as mutated
    from vxlanpkt.strategies.damage import truncated as truncated
    from vxlanpkt.strategies.filters import filter_expressions as filter_expressions
    from vxlanpkt.strategies.overlaying import agent_statuses as agent_statuses
    from vxlanpkt.strategies.overlaying import forwarding_tables as forwarding_tables
    from vxlanpkt.strategies.overlaying import neighbour_questions as neighbour_questions
    from vxlanpkt.strategies.overlaying import networks as networks
    from vxlanpkt.strategies.overlaying import overlays as overlays
    from vxlanpkt.strategies.overlaying import route_tables as route_tables
    from vxlanpkt.strategies.packets import frames as frames
    from vxlanpkt.strategies.packets import vxlan_frames as vxlan_frames
    from vxlanpkt.strategies.recipes import policies as policies
    from vxlanpkt.strategies.recipes import tunnel_tables as tunnel_tables
    from vxlanpkt.strategies.recipes import tunnels as tunnels
    from vxlanpkt.strategies.values import ipv4s as ipv4s
    from vxlanpkt.strategies.values import ipv6s as ipv6s
    from vxlanpkt.strategies.values import macs as macs
    from vxlanpkt.strategies.values import vnis as vnis

_MODULES: dict[str, tuple[str, ...]] = {
    "batching": (
        "batches",
        "captures",
        "recordings",
    ),
    "containers": (
        "cni_containers",
        "cni_results",
    ),
    "damage": (
        "damaged",
        "hostile_frames",
        "mutated",
        "truncated",
    ),
    "filters": ("filter_expressions",),
    "overlaying": (
        "agent_statuses",
        "forwarding_tables",
        "neighbour_questions",
        "networks",
        "overlays",
        "route_tables",
    ),
    "packets": (
        "frames",
        "vxlan_frames",
    ),
    "recipes": (
        "policies",
        "tunnel_tables",
        "tunnels",
    ),
    "values": (
        "ipv4s",
        "ipv6s",
        "macs",
        "vnis",
    ),
}

__all__ = sorted(name for names in _MODULES.values() for name in names)

__getattr__ = loaded_on_use(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
