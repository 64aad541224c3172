"""What is timed on both versions: one frame at a time, batches, and a capture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from struct import pack

import vxlanpkt
from benchmarks.frames import frames
from benchmarks.jobs import job_input, run
from benchmarks.ours import Ours
from vxlanpkt import FrameBatch, decap_batch, encap_batch

FRAMES = 4096
_SINGLE = 256  # of them, for what does one frame at a time


def write_capture(path: Path) -> None:
    """The frames as a pcap file, a microsecond apart."""
    head = pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    wires = (one.wire for one in frames(FRAMES))
    path.write_bytes(
        head + b"".join(pack("<IIII", 1, at, len(wire), len(wire)) + wire for at, wire in enumerate(wires))
    )


def jobs(capture: Path, target: Path) -> dict[str, Callable[[], object]]:
    """A function for each job; some read *capture*, and write *target*."""
    some, ours = frames(FRAMES), Ours()
    single = {
        f"{job}, one by one": partial(run, getattr(ours, job), job_input(ours, job, some[:_SINGLE]))
        for job in ("parse", "build", "encap", "decap")
    }
    inner = FrameBatch.from_frames([one.inner for one in some])
    outer = FrameBatch.from_frames([one.wire for one in some])
    return {
        **single,
        "encap_batch": partial(encap_batch, inner, ours.tunnel, out=encap_batch(inner, ours.tunnel)),
        "decap_batch": partial(decap_batch, outer, out=decap_batch(outer)),
        "decap_file": lambda: vxlanpkt.decap_file(capture, target),
        "flows": lambda: vxlanpkt.flows(capture),
    }
