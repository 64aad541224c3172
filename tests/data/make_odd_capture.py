"""Write tests/data/odd.pcapng: some of the odd inputs as a capture, one packet each, its name as the comment.

The frames are those of odd_inputs.jsonl as they are; the times are made up. Run it again only to choose others:

    python -m tests.data.make_odd_capture
"""

from __future__ import annotations

import json
from pathlib import Path

from vxlanpkt.capture import Interface, PcapngWriter, Record

DATA = Path(__file__).parent
BEGIN = 1_735_689_600_000_000_000  # 2025-01-01, midnight UTC
STEP = 1_000_000
COMMENT = 1

_LIST = """
    plain plain-ipv6 outer-tag i-clear byte-0-bit-6 byte-1-bit-5 byte-3-bit-0 byte-7-bit-0
    gbp-id gbp-applied gbp-g-clear-with-id gbp-and-p gpe-next-protocol-1 gpe-next-protocol-3 gpe-next-protocol-255
    gpe-version-1 gpe-oam ip-checksum-wrong ip-option-router-alert ip-option-loose-source-route fragment-first
    ip-total-length-0 ip-total-length-one-over padding-46 ip-source-loopback ip-protocol-tcp
    ip6-hop-by-hop ip6-fragment-atomic udp-checksum-zero-ipv6 udp-checksum-wrong udp-checksum-partial
    udp-length-0 udp-length-one-over udp-port-swapped udp-payload-of-7 inner-of-13 inner-ipv4-of-19
    inner-source-multicast inner-tags-1 inner-tags-2 ecn-3-outside-0-inside-ipv4 ecn-3-outside-2-inside-ipv4
"""


def main() -> None:
    """Write the capture."""
    lines = (DATA / "odd_inputs.jsonl").read_text("ascii").splitlines()
    inputs = {said["name"]: said for said in map(json.loads, lines)}
    with PcapngWriter(DATA / "odd.pcapng", [Interface(link_type=1, tsresol=9)]) as writer:
        for number, name in enumerate(_LIST.split()):
            frame = bytes.fromhex(inputs[name]["frame"])
            comment = f"{name}: {inputs[name]['why']}".encode()
            time = BEGIN + number * STEP
            writer.write(
                Record(timestamp_ns=time, data=frame, original_length=len(frame), options=((COMMENT, comment),))
            )


if __name__ == "__main__":
    main()
