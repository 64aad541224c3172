"""What the first IP headers of frames say, and which frames were seen before, batch by batch."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import partial
from struct import unpack
from typing import TYPE_CHECKING

from vxlanpkt import kernel
from vxlanpkt.batches.columns import as_buffer
from vxlanpkt.batches.frames import FrameBatch
from vxlanpkt.errors import refused_argument
from vxlanpkt.kernel.contract.columns import SIGHTING_LAYOUT, TRAIT_LAYOUT, WIDTHS
from vxlanpkt.kernel.contract.grouping import Counted
from vxlanpkt.kernel.contract.sightings import ENTRY_SET, SECRETS, Sighted
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.starts import Start, outer_kind

if TYPE_CHECKING:
    from typing_extensions import Buffer

_refused = partial(refused_argument, "sightings")

DIGEST_SEED_SIZE = 8 * SECRETS


class Traits:
    """What the first IP header of each frame says, a column for each fact. Not made by hand.

    length          uint32  the packet's length, as it says itself; 0 where there is no sound IP header
    identification  uint32  IPv4's; 0xffffffff where there is none
    sequence        uint32  of TCP: where the segment begins
    segment         uint32  of TCP: how much of the sequence it takes, 1 each for SYN and FIN; 0 for others
    traits          uint8   `Trait` bits
    """

    __slots__ = ("identification", "length", "segment", "sequence", "traits")

    def __init__(self, rows: int, buffer: memoryview) -> None:
        self.length = TRAIT_LAYOUT.column("length", rows, buffer)
        self.identification = TRAIT_LAYOUT.column("identification", rows, buffer)
        self.sequence = TRAIT_LAYOUT.column("sequence", rows, buffer)
        self.segment = TRAIT_LAYOUT.column("segment", rows, buffer)
        self.traits = TRAIT_LAYOUT.column("traits", rows, buffer)


def traits(frames: FrameBatch, start: Start | None, link_types: memoryview | None = None) -> Traits:
    """Describe the first IP header of every frame; they begin with *start*, or with what *link_types* say of each."""
    kind = Kind.NOTHING if start is None else outer_kind(start)
    rows = len(frames)
    out = kernel.new_buffer(rows * TRAIT_LAYOUT.row_size)
    if kernel.traits(frames.held, kind, link_types, out) < 0:
        raise _refused("link_types", link_types, f"a column of {rows} rows of 16 bits")
    return Traits(rows, kernel.view(out))


class Digests:
    """Numbers of 64 bits that tell rows apart.

    key   the columns that they are made of: their names, and their items as in DECAP_COLUMNS
    seed  DIGEST_SEED_SIZE random bytes that nobody knows who chooses the rows
    """

    def __init__(self, key: Mapping[str, str], *, seed: bytes) -> None:
        self._widths = [WIDTHS[code] for code in key.values()]
        if len(seed) != DIGEST_SEED_SIZE:
            raise _refused("seed", len(seed), f"{DIGEST_SEED_SIZE} bytes")
        self._secrets = unpack(f"={SECRETS}Q", seed)

    def of(
        self,
        rows: int,
        key: Sequence[Buffer],
        *,
        frames: FrameBatch | None = None,
        selected: Buffer | None = None,
        status: Buffer | None = None,
    ) -> memoryview:
        """A uint64 for each row, 0 for one that is not *selected* or whose *status* is not OK; *frames* count too."""
        columns = [as_buffer("key", column, _refused) for column in key]
        chosen, judged = (None if one is None else as_buffer("selected", one, _refused) for one in (selected, status))
        counted = Counted(rows, list(zip(columns, self._widths, strict=True)), None, None, None, None, chosen, judged)
        out = kernel.new_buffer(8 * rows)
        held = None if frames is None else frames.held
        if kernel.digest(kernel.hold_counted(counted), held, self._secrets, out) < 0:
            raise _refused("key", len(columns), f"columns of {rows} rows")
        return kernel.view(out).cast("Q") if rows else memoryview(array("Q"))


class Sightings:
    """What was seen lately: a memory of fixed size for about *capacity* rows, each for *window* nanoseconds.

    forgotten  how many rows had to make way for others within the window: as many repetitions may be overlooked
    """

    def __init__(self, *, capacity: int, window: int) -> None:
        self.forgotten = 0
        self._window = window
        sets = max(capacity * 32 // ENTRY_SET, 1)
        self._memory = kernel.new_buffer(sets * ENTRY_SET)
        memory = kernel.view(self._memory)
        memory[:] = bytes(len(memory))

    def see(
        self, digests: memoryview, marks: memoryview, timestamps: memoryview, number: int
    ) -> tuple[memoryview, memoryview]:
        """Which rows were seen before, and remember them: two columns.

        uint64, the number of the row that was the same, counted from 1, or 0; uint8, 0, or 1, or 2 where that one's
        mark was another. *number* is how many rows came before these.
        """
        rows = len(digests)
        if not rows:
            return memoryview(b""), memoryview(b"")
        out = kernel.new_buffer(rows * SIGHTING_LAYOUT.row_size)
        found = kernel.sight(Sighted(digests, marks, timestamps, number, self._window), self._memory, out)
        if found < 0:
            raise _refused("digests", rows, "as many as there are marks and timestamps")
        self.forgotten += found
        view = kernel.view(out).toreadonly()
        return SIGHTING_LAYOUT.column("earlier", rows, view), SIGHTING_LAYOUT.column("repeated", rows, view)
