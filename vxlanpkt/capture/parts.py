"""A part of a capture file, read without an index: exactly the records that are its own, or an error.

Where the part begins a record is guessed; the first part begins with the first record, which needs no guess. Each part
is read up to the first record that begins at its end or behind it, and there guesses where the next part begins. If
that is not where this one ended, or if what parts are read by has changed on the way, an error says so. So if no part
raises one, each began where the one before it ended, from the first on, and together they have each record once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from vxlanpkt.capture.boundaries import WINDOW, first_record
from vxlanpkt.capture.origins import Part
from vxlanpkt.capture.sources import Source, Stopped
from vxlanpkt.capture.stretches import Run, Taking
from vxlanpkt.errors import CaptureError

if TYPE_CHECKING:
    from vxlanpkt.capture.containers import Reader

_R = TypeVar("_R", bound=Run)


class SplitError(CaptureError):
    """A capture cannot be read in parts, and has to be read as a whole: `.offset` is where that was seen."""


def read_part(reader: Reader, source: Source, part: Part, taking: Taking[_R]) -> Iterator[_R]:
    """The records of a part of a file, of which *reader* has read the first header.

    Raises SplitError for a part that is not the last one if anything is wrong with the file, and for any part that ends
    elsewhere than the next one begins. A fault in the last part is a fault as in any file.
    """
    if source.is_compressed:
        raise SplitError("it is compressed, and can be read only from its start", offset=0)
    head = reader.read_head()
    declared = reader.declared
    source.jump(_begin(reader, source, part.start, head), part.end)
    if part.end is None:
        yield from reader.each(taking)
        return
    try:
        yield from reader.each(taking)
    except Stopped:
        raise
    except CaptureError as error:
        raise SplitError(f"it breaks off, and has to be read in one piece: {error}", offset=error.offset) from error
    end = source.offset
    if reader.declared != declared:
        raise SplitError(
            f"sections or interfaces are declared behind packets, before byte {end}: it has to be read in one piece",
            offset=end,
        )
    if _begin(reader, source, part.end, head) != end:
        raise SplitError(
            f"the record at byte {end} is not what the next part begins with: packets hold what looks like a capture,"
            " and the file has to be read in one piece", offset=end,
        )  # fmt: skip


def _begin(reader: Reader, source: Source, start: int, head: int) -> int:
    """Where the part of a file begins that is to begin at *start*."""
    if start <= head:
        return head
    source.jump(start)
    is_end = not source.require(WINDOW)
    data = source.view[source.begin : source.end][:WINDOW]
    found = first_record(data, is_end, reader.shape, start)
    if found is None:
        raise SplitError(
            f"no record is found in the {len(data)} bytes behind byte {start}: it has to be read in one piece",
            offset=start,
        )
    return start + found
