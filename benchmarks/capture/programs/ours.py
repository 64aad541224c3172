"""This library's own functions, as a script would call them.

ours.py flows CAPTURE [ANSWER] | decap CAPTURE TARGET
"""

from __future__ import annotations

import sys
from typing import Any

import vxlanpkt


def main() -> None:
    job, capture, *rest = sys.argv[1:]
    if job == "decap":
        vxlanpkt.decap_file(capture, rest[0])
        return
    library: Any = vxlanpkt
    found = library.flows(capture)
    print("one of them:", next(iter(found), None))  # so that nothing is put off until somebody looks
    if rest:
        with open(rest[0], "w") as out:  # noqa: PTH123 - pathlib is not needed for what is timed
            for flow in found:
                print(flow.vni, int(flow.protocol), flow.src.packed.hex(), flow.dst.packed.hex(), flow.src_port,
                      flow.dst_port, flow.packets, flow.bytes, file=out)  # fmt: skip


if __name__ == "__main__":
    main()
