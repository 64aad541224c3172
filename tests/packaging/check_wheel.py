"""What an installed wheel is to do, on any system: `python check_wheel.py c` or `python`, whichever kernel it has.

A program and no test, as it is for environments that have the wheel and nothing else.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import vxlanpkt
from vxlanpkt import FrameBatch, Tunnel, decap_batch, encap_batch


def main(backend: str) -> None:
    """Frames go into a tunnel and come out; extensions are there if they should be, and only then."""
    assert vxlanpkt.backend == backend, vxlanpkt.backend
    assert (find_spec("vxlanpkt._fastlib") is not None) == (backend == "c")
    loops = backend == "c" and sys.platform == "linux"
    assert (find_spec("vxlanpkt.overlay._datapathlib") is not None) == loops
    assert Path(vxlanpkt.__file__).with_name("py.typed").is_file()

    frames = [bytes(12) + b"\x88\xb5" + bytes([number]) * number for number in range(256)]
    tunnel = Tunnel(vni=5000, src="192.0.2.1", dst="192.0.2.2", src_mac=1, dst_mac=2)
    got = decap_batch(encap_batch(FrameBatch.from_frames(frames), tunnel))
    assert got.inner.to_frames() == frames
    assert set(got.vni) == {5000}


if __name__ == "__main__":
    main(sys.argv[1])
