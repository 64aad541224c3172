"""Flows with tshark: a line a packet, of the fields that tell flows apart, from as little dissection as gives them.

tshark_flows.py CAPTURE ANSWER counts the lines. What is timed is tshark alone, its lines thrown away.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

_DISSECTORS = {"frame", "eth", "eth_maybefcs", "eth_withoutfcs", "ethertype", "vlan", "ip", "ipv6", "udp", "tcp",
               "vxlan"}  # fmt: skip
_FIELDS = ("vxlan.vni", "eth.type", "vlan.etype", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport",
           "tcp.dstport", "udp.srcport", "udp.dstport", "udp.length")  # fmt: skip
_NEEDLESS = ("frame.generate_epoch_time", "frame.generate_bits_field", "ip.defragment", "ip.summary_in_tree",
             "ip.use_geoip", "ipv6.defragment", "ipv6.summary_in_tree", "ipv6.use_geoip",
             "tcp.analyze_sequence_numbers", "tcp.calculate_timestamps", "tcp.desegment_tcp_streams",
             "tcp.summary_in_tree", "tcp.track_bytes_in_flight", "udp.calculate_timestamps", "udp.summary_in_tree",
             "vlan.summary_in_tree")  # fmt: skip
_TAG, _IPV4 = "0x8100", "0x0800"
_HEADERS = 16  # of UDP and VXLAN

Key = tuple[int, int, bytes, bytes, int, int]  # VNI, protocol, addresses, ports


def command(capture: str) -> list[str]:
    """What to run."""
    fields = [word for field in _FIELDS for word in ("-e", field)]
    options = [word for preference in _NEEDLESS for word in ("-o", f"{preference}:FALSE")]
    return ["tshark", "-n", "-r", capture, "-d", "udp.port==8472,vxlan", *options, "-T", "fields", *fields]


def needless_dissectors() -> list[str]:
    """The dissectors that tshark knows and the job does not need, for a `disabled_protos` in its folder of settings.

    Named one by one, as this version has no word for all of them.
    """
    listing = subprocess.run(["tshark", "-G", "protocols"], check=True, capture_output=True, text=True).stdout
    return sorted({line.split("\t")[2] for line in listing.splitlines()} - _DISSECTORS)


def flows(lines: Iterable[str]) -> dict[Key, list[int]]:
    """Packets and bytes by VNI and inner 5-tuple."""
    found: dict[Key, list[int]] = {}
    for line in lines:
        values = {field: value.split(",") for field, value in zip(_FIELDS, line.rstrip("\n").split("\t"), strict=True)}
        if values["vxlan.vni"] != [""]:
            counts = found.setdefault(_key({field: value[-1] for field, value in values.items()}), [0, 0])
            counts[0] += 1
            counts[1] += int(values["udp.length"][0]) - _HEADERS
    return found


def _key(inner: dict[str, str]) -> Key:
    """The key out of the last occurrence of each field, which is the innermost."""
    ethertype = inner["vlan.etype"] if inner["eth.type"] == _TAG else inner["eth.type"]
    ip = "ip" if ethertype == _IPV4 else "ipv6"
    protocol, transport = (6, "tcp") if inner["tcp.srcport"] else (17, "udp")
    src, dst = ip_address(inner[f"{ip}.src"]), ip_address(inner[f"{ip}.dst"])
    ports = int(inner[f"{transport}.srcport"]), int(inner[f"{transport}.dstport"])
    return int(inner["vxlan.vni"]), protocol, src.packed, dst.packed, *ports


def main() -> None:
    capture, answer = sys.argv[1:]
    with subprocess.Popen(command(capture), stdout=subprocess.PIPE, text=True) as tshark:
        assert tshark.stdout is not None
        found = flows(tshark.stdout)
    if tshark.returncode:
        raise SystemExit(f"tshark: status {tshark.returncode}")
    with Path(answer).open("w") as out:
        for (vni, protocol, src, dst, *ports), counts in found.items():
            print(vni, protocol, src.hex(), dst.hex(), *ports, *counts, file=out)


if __name__ == "__main__":
    main()
