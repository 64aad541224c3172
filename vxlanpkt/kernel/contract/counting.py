"""Records of a capture that are counted as they are read."""

# No `from __future__ import annotations` here: a named tuple takes twice as long to make if its fields' types are text.

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from vxlanpkt.kernel.contract.columns import DECAP_COLUMNS, RECORD_COLUMNS, Layout

NO_COLUMN = 0xFFFFFFFF  # in place of where a column lies
COUNTED_ROWS = 256
"""Records that are read, decapsulated and counted together."""

# What records can be counted by: what is known of each, and what follows from that, as `Derived` says.
DERIVED_COLUMNS: Mapping[str, str] = {"flow_ethertype": "H", "cut_off": "B"}
COUNTED_COLUMNS: Mapping[str, str] = {**RECORD_COLUMNS, **DECAP_COLUMNS, **DERIVED_COLUMNS}
COUNTED_LAYOUT = Layout(COUNTED_COLUMNS)


class CutOff(IntEnum):
    """What the capture cut off an inner packet that was accepted."""

    NOTHING = 0
    PAYLOAD = 1
    HEADERS = 2  # its addresses or its ports too, so that nobody knows its flow


class Count(NamedTuple):
    """By what records are counted in a table: names of COUNTED_COLUMNS.

    lengths, other_lengths  32 bits, summed up
    timestamps              64 bits, of which the first and the last are kept
    flags                   16 bits, united
    status                  8 bits: only records count that have a 0 there
    """

    key: Sequence[str]
    lengths: str | None = None
    other_lengths: str | None = None
    timestamps: str | None = None
    flags: str | None = None
    status: str | None = None


WIDTHS_OF_COUNTS: Mapping[str, int] = {"lengths": 4, "other_lengths": 4, "timestamps": 8, "flags": 2, "status": 1}
