"""The section on MTU and fragmentation."""

from __future__ import annotations

from vxlanpkt.analysis.findings import Findings, Sizes, TooBigs
from vxlanpkt.analysis.reporting.loss import left_out, pair_table
from vxlanpkt.analysis.reporting.pieces import Cell, Piece, Row, how, join, nothing, table, tag
from vxlanpkt.analysis.reporting.wording import count_cell, examples, number, sentence, share
from vxlanpkt.analysis.words import counted

_FROM = {
    "message": "the smallest that a message on the underlay reports",
    "fragments": "the length of the largest outer fragment, as no message reports one",
    "assumed": "what Ethernet mostly has, as nothing in the capture says how much it is",
}


def sizes(findings: Findings) -> Piece:
    """Lengths on the underlay, fragments, and messages that something was too big."""
    found = findings.sizes
    if not (findings.overview.vxlan or found.first_fragments or found.later_fragments or found.outside.count):
        return nothing("There are no VXLAN packets, no fragments and no messages that a packet was too big.")
    return join(
        _lengths(findings), _fragments(findings), _inside(found), _messages("on the underlay", found.outside),
        _messages("inside the tunnels", found.inside), _df(found),
    )  # fmt: skip


def _lengths(findings: Findings) -> Piece:
    found, whole = findings.sizes, findings.overview.vxlan
    if not whole:
        return tag("p", "No whole packet is VXLAN.")
    heads = ("Outer IP packet, bytes", "Packets", "Share")
    rows = [
        Row([Cell(_up_to(most), most), count_cell(packets), Cell(share(packets, whole), packets)])
        for most, packets in found.lengths
    ]
    if found.too_large:
        verdict = sentence(
            f"{counted(found.too_large, 'packet')} ({share(found.too_large, whole)}) on the underlay are longer than "
            f"{number(found.mtu)} bytes, the largest one {number(found.largest)}. Of their inner packets "
            f"{number(found.too_large_df)} are IPv4 with DF, which nobody may fragment, and "
            f"{number(found.too_large_ipv6)} are IPv6, which nobody on the way does. Such packets get through only "
            "where the underlay's MTU is larger; on the sending host they may also be ones that the network card "
            "still has to cut (offload)."
        )  # fmt: skip
    else:
        verdict = sentence(f"No packet on the underlay is longer than {number(found.mtu)} bytes; the largest has "
                           f"{number(found.largest)}.")  # fmt: skip
    return join(
        tag("h3", "Lengths"), verdict,
        sentence(f"{counted(found.left_out, 'packet')} of other lengths are not counted.") if found.left_out else "",
        examples("The largest", found.largest_examples),
        table(heads, rows, caption="Packets on the underlay by the length of the outer IP packet", numbers=(1, 2)),
        how(f"By the length that the outer IP header says. The underlay's MTU is taken to be {number(found.mtu)}: "
            f"{_FROM[found.mtu_from]}. An untagged inner frame leaves 50 of them less for its IP packet over IPv4, and "
            "70 less over IPv6; an inner VLAN tag takes 4 more."),
    )  # fmt: skip


def _up_to(most: int) -> str:
    return f"up to {most:,}" if most <= 65535 else "more than 65,535 (offload)"


def _fragments(findings: Findings) -> Piece:
    found = findings.sizes
    title = tag("h3", "Outer fragments")
    if not (found.first_fragments or found.later_fragments or found.atomic_fragments):
        return join(title, nothing("No outer fragments."))
    parts = [
        sentence(
            f"{counted(found.first_fragments, 'first fragment')} of datagrams to a VXLAN port, and "
            f"{counted(found.later_fragments, 'later fragment')} of UDP{_atomic(found.atomic_fragments)}. What they "
            "carry is counted nowhere else on this page. Fragments are lost as a whole if one of them is, many "
            "devices drop them, and they all take one path: raise the underlay's MTU, or lower the overlay's."
        ),
        examples("First fragments, the first", found.first_examples),
        examples("Later fragments, the first", found.later_examples),
    ]  # fmt: skip
    if found.fragmenting:
        parts.append(pair_table(found.fragmenting, findings, "Who sends first fragments", "First fragments"))
        parts.append(left_out(found.fragmenting_left_out))
    return join(title, *parts, how(
        "Records that are refused as FRAGMENT. Later fragments have no UDP header: they may be of any datagram, and "
        "are counted whatever VNI was asked for."
    ))  # fmt: skip


def _atomic(count: int) -> str:
    return (
        f"; and {counted(count, 'whole IPv6 packet')} with a fragment header, which this policy takes for one"
        if count
        else ""
    )


def _inside(found: Sizes) -> Piece:
    title = tag("h3", "Fragments inside the tunnels")
    if not found.inner_fragments:
        return join(title, nothing("No fragments inside the tunnels."))
    return join(title, sentence(
        f"{counted(found.inner_fragments, 'inner packet')} are IP fragments: the sender, or a router before the "
        "tunnel, has cut them. That is where they are to be cut; a lower MTU or MSS at the sender does without."
    ), examples("The first", found.inner_examples), how("Inner IPv4 packets with MF or a fragment offset, and "
        "IPv6 packets with a fragment header that are not whole."))  # fmt: skip


def _messages(where: str, found: TooBigs) -> Piece:
    title = tag("h3", f"Packet too big, {where}")
    if not found.count:
        return join(title, nothing(f"No such message {where}."))
    lead = f"{counted(found.count, 'message')}"
    if found.smallest_mtu:
        lead += f"; the smallest MTU that one reports is {number(found.smallest_mtu)}"
    if found.examined < found.count:
        lead += f". The first {number(found.examined)} were read one by one: MTUs are those of these alone"
    heads = ("Record", "VNI", "From", "To", "MTU", "Packet from", "Packet to")
    rows = [
        Row(
            [
                Cell(one.record, one.record), "" if one.vni is None else one.vni, one.source or "", one.receiver or "",
                Cell("not said" if one.mtu is None else number(one.mtu), one.mtu or 0), *(one.packet or ("", "")),
            ],
            one.vni,
        )
        for one in found.messages
    ]  # fmt: skip
    return join(title, tag("p", lead, "."), table(heads, rows, caption="The first of them", numbers=(0, 4)), how(
        "ICMP type 3 code 4 (fragmentation needed) and ICMPv6 type 2 (packet too big)."
    ))  # fmt: skip


def _df(found: Sizes) -> Piece:
    rows = [
        Row([where, count_cell(with_df), count_cell(every), share(with_df, every)])
        for where, (with_df, every) in (("outside", found.outer_df), ("inside", found.inner_df)) if every
    ]  # fmt: skip
    title = tag("h3", "Don't fragment")
    if not rows:
        return join(title, nothing("There are no IPv4 packets, which alone have the flag."))
    return join(title, table(("IPv4 header", "With DF", "Packets", "Share"), rows,
                             caption="The flag in IPv4 headers outside and inside", numbers=(1, 2, 3)), how(
        "Packets that the policy accepts and that have a sound IPv4 header there. Outer packets without DF may be cut "
        "on the way, which shows as outer fragments; with DF they are dropped, which shows as messages, or as silence."
    ))  # fmt: skip
