"""What every contender in the benchmarks offers: the same jobs on the same frames."""

from __future__ import annotations

import importlib.metadata
import zlib
from typing import Any, Protocol

from benchmarks.frames import Frame

Flow = tuple[int, Any, Any, int, int, int]

# The tunnel of the encap job: IPv4 underlay, no UDP checksum, DF set.
VNI = 5000
SRC_MAC, DST_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
SRC, DST = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
PORTS = (4789, 8472)

JOBS = ("dissect", "layers", "parse", "build", "encap", "decap")
JOB_TEXTS = {
    "dissect": "find all the layers of a frame, as far as the contender does by itself",
    "layers": "read every header of a frame",
    "parse": "find VNI and inner 5-tuple",
    "build": "a whole frame from field values, with all lengths and checksums",
    "encap": "an outer header around one inner frame",
    "decap": "VNI and inner frame out of one frame",
}


class Contender(Protocol):
    """A library, or a loop, that does the jobs.

    `STRIDE` is 1 for all frames, n for each n-th of them, where the contender is slow.
    """

    NAME: str
    STRIDE: int

    def version(self) -> str:
        """What to print beside the name."""
        ...

    def prepare(self, frame: Frame) -> Any:
        """The values of `build`, in the contender's favourite types; not timed."""
        ...

    def dissect(self, wire: bytes) -> Any: ...
    def layers(self, wire: bytes) -> Any: ...
    def parse(self, wire: bytes) -> Flow: ...
    def build(self, prepared: Any) -> bytes: ...
    def encap(self, inner: bytes) -> bytes: ...
    def decap(self, wire: bytes) -> tuple[int, bytes]: ...

    def names(self, found: Any) -> tuple[str, ...]:
        """The layers in a result of `layers`, as in `Frame.names`; not timed."""
        ...


def entropy_port(inner: bytes) -> int:
    """A UDP source port out of the inner headers, for contenders without a flow hash of their own."""
    return 0xC000 | zlib.crc32(inner[:42]) & 0x3FFF


def distribution_version(name: str) -> str:
    """The installed version of a distribution."""
    return importlib.metadata.version(name)
