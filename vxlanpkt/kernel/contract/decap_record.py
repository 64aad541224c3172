"""What is said of one frame that was decapsulated."""

from __future__ import annotations

from dataclasses import dataclass

from vxlanpkt.kernel.contract.columns import NO_ECN, NO_LINK_TYPE, UNTAGGED


@dataclass(slots=True)
class DecapRecord:
    """What a kernel says of one frame: a row of the columns. What was not reached keeps these values."""

    status: int = 0
    notes: int = 0
    vni: int = 0
    flags: int = 0
    reserved: int = 0
    outer_family: int = 0
    outer_tags: int = 0
    outer_vlan: int = UNTAGGED
    outer_src_port: int = 0
    outer_dst_port: int = 0
    ip_checksum: int = 0
    udp_checksum: int = 0
    inner_offset: int = 0
    inner_length: int = 0
    inner_original_length: int = 0
    inner_link_type: int = NO_LINK_TYPE
    inner_tags: int = 0
    inner_vlan: int = UNTAGGED
    inner_ethertype: int = 0
    inner_family: int = 0
    inner_protocol: int = 0
    inner_src_port: int = 0
    inner_dst_port: int = 0
    inner_tcp_flags: int = 0
    inner_ecn: int = NO_ECN
    outer_src: bytes = bytes(16)
    outer_dst: bytes = bytes(16)
    inner_src: bytes = bytes(16)
    inner_dst: bytes = bytes(16)
