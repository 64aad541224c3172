"""All contenders give equal results on all frames: only then can their speeds be compared. Nothing is timed."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from statistics import mean
from typing import Any

import pytest

from benchmarks.contender import DST, DST_MAC, SRC, SRC_MAC, VNI, Contender
from benchmarks.contenders import contenders
from benchmarks.frames import COUNT, VNIS, Frame, Outer, build_outer, frames

# Frames that a peer cannot do, by job: none at present.
CANNOT: dict[tuple[str, str], Callable[[Frame], bool]] = {}

CONTENDERS = contenders()
each_contender = pytest.mark.parametrize("contender", CONTENDERS, ids=[one.NAME for one in CONTENDERS])


def share(contender: Contender, job: str) -> list[Frame]:
    """The frames that a contender is timed on, without those that it cannot do."""
    cannot = CANNOT.get((contender.NAME, job))
    return [frame for frame in frames()[:: contender.STRIDE] if cannot is None or not cannot(frame)]


def normal(flow: tuple[Any, ...]) -> tuple[Any, ...]:
    """A flow with its addresses as bytes: peers return bytes, text or values."""
    vni, src, dst, *rest = flow
    return vni, ip_address(src).packed, ip_address(dst).packed, *rest


def test_frames_are_as_described() -> None:
    """No two alike, of 576 bytes in the mean, from the VNIs promised, the same for the same seed."""
    made = frames()
    assert len({frame.wire for frame in made}) == COUNT
    assert abs(mean(len(frame.wire) for frame in made) - 576) < 12
    assert len({frame.outer_fields.vni for frame in made}) == VNIS
    assert frames(100) == made[:100]


@each_contender
def test_layers(contender: Contender) -> None:
    """The same layers in the same order."""
    for frame in share(contender, "layers"):
        assert contender.names(contender.layers(frame.wire)) == frame.names


@each_contender
def test_dissect(contender: Contender) -> None:
    """`dissect` refuses no frame."""
    for frame in share(contender, "dissect"):
        assert contender.dissect(frame.wire) is not None


@each_contender
def test_parse(contender: Contender) -> None:
    """The same VNI and inner 5-tuple."""
    for frame in share(contender, "parse"):
        assert normal(contender.parse(frame.wire)) == frame.flow


@each_contender
def test_build(contender: Contender) -> None:
    """The same bytes out of the same values."""
    for frame in share(contender, "build"):
        assert contender.build(contender.prepare(frame)) == frame.wire


@each_contender
def test_encap(contender: Contender) -> None:
    """The same outer frame, but for the source port: each has its own hash."""
    for frame in share(contender, "encap"):
        wire = contender.encap(frame.inner)
        src_port = int.from_bytes(wire[34:36], "big")
        assert src_port >= 49152
        outer = Outer(DST_MAC, SRC_MAC, 0, SRC, DST, 64, src_port, 4789, checksum=False, vni=VNI)
        assert wire == build_outer(outer, frame.inner)


@each_contender
def test_decap(contender: Contender) -> None:
    """The same VNI and inner frame."""
    for frame in share(contender, "decap"):
        assert contender.decap(frame.wire) == (frame.outer_fields.vni, frame.inner)
