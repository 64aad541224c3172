"""The Python kernel: the specification that any other must equal, status by status and byte by byte.

The functions over batches write every element of every column, return the number of rows that are
OK, never raise on content, and check each row against the buffer themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vxlanpkt.errors import Reason
from vxlanpkt.kernel.contract import (
    ADDRESS_COLUMNS,
    DECAP_COLUMNS,
    DecapRecord,
    DecapRules,
    EncapMode,
    EncapRecipe,
)
from vxlanpkt.kernel.decapsulation import decap_one as decap_one
from vxlanpkt.kernel.encapsulation import encap_header as encap_header
from vxlanpkt.kernel.encapsulation import needs_identification as needs_identification
from vxlanpkt.kernel.hashing import flow_hash as flow_hash
from vxlanpkt.kernel.scanning import scan as scan
from vxlanpkt.kernel.scanning import walk as walk
from vxlanpkt.kernel.spans import Buffer

NO_TUNNEL = 0xFFFFFFFF


def decap(
    data: Buffer,
    offsets: Sequence[int],
    lengths: Sequence[int],
    original_lengths: Sequence[int] | None,
    kind: int,
    rules: DecapRules,
    columns: Mapping[str, Any],
) -> int:
    """Decapsulate every row in place: fill the columns, which hold as many elements as there are rows."""
    accepted = 0
    view = memoryview(data)
    for row, (offset, length) in enumerate(zip(offsets, lengths, strict=True)):
        if offset > len(view) or length > len(view) - offset:
            record = DecapRecord(status=Reason.ROW_OUT_OF_RANGE)
        else:
            original = length if original_lengths is None else original_lengths[row]
            record = decap_one(view, offset, offset + length, max(original - length, 0), kind, rules)
        accepted += record.status == 0
        for name in DECAP_COLUMNS:
            columns[name][row] = getattr(record, name)
        for name in ADDRESS_COLUMNS:
            columns[name][16 * row : 16 * row + 16] = getattr(record, name)
    return accepted


def encap(
    data: Any,
    offsets: Sequence[int],
    lengths: Sequence[int],
    recipes: Sequence[EncapRecipe],
    index: Sequence[int] | None,
    identification: int | None,
    mode: EncapMode,
    out: Any,
    out_offsets: Any,
    out_lengths: Any,
    status: Any,
) -> int:
    """Encapsulate every row.

    COPY writes header and frame, HEADERS the header alone, behind each other into *out*; IN_PLACE
    writes the header into *data* in front of the frame, so rows have to lie in ascending order, each
    apart from the one before by its header. A row that cannot be sent has length 0.
    Row i takes identification + i, modulo 2**16.
    """
    accepted = 0
    position = 0
    source, target = memoryview(data), memoryview(data if mode is EncapMode.IN_PLACE else out)
    floor = 0
    for row, (offset, length) in enumerate(zip(offsets, lengths, strict=True)):
        number = None if identification is None else (identification + row) & 0xFFFF
        which = 0 if index is None else index[row]
        header = _row_header(source, offset, length, recipes, which, number)
        out_offsets[row], out_lengths[row] = position, 0
        if not isinstance(header, Reason):
            kept = length if mode is EncapMode.COPY else 0
            at = offset - len(header) if mode is EncapMode.IN_PLACE else position
            if at < floor or len(header) + kept > len(target) - at:
                header = Reason.NO_ROOM
            else:
                target[at : at + len(header)] = header
                target[at + len(header) : at + len(header) + kept] = source[offset : offset + kept]
                out_offsets[row] = at
                out_lengths[row] = len(header) + (0 if mode is EncapMode.HEADERS else length)
                if mode is not EncapMode.IN_PLACE:
                    position += out_lengths[row]
                accepted += 1
        if mode is EncapMode.IN_PLACE and length <= len(source) - min(offset, len(source)):
            floor = max(floor, offset + length)
        status[row] = header if isinstance(header, Reason) else 0
    return accepted


def _row_header(
    source: memoryview, offset: int, length: int, recipes: Sequence[EncapRecipe], which: int, number: int | None
) -> bytes | Reason:
    if which == NO_TUNNEL:
        return Reason.NO_TUNNEL
    if which >= len(recipes):
        return Reason.TUNNEL_OUT_OF_RANGE
    if offset > len(source) or length > len(source) - offset:
        return Reason.ROW_OUT_OF_RANGE
    return encap_header(source, offset, offset + length, recipes[which], number)
