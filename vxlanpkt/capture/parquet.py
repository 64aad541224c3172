"""How Parquet is written: what of a capture is encoded in which way, and what readers are told."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from vxlanpkt.capture.frames import library
from vxlanpkt.capture.tables import CaptureTable
from vxlanpkt.capture.words import schema_in_arrow


def parquet_writer(file: Any, table: CaptureTable) -> Any:
    """What writes the numbered pieces of a table, which readers take for the table itself."""
    told = library("pyarrow").schema(table)
    words = {told.field(place).name for place in table.numbered_places}
    writer = library("pyarrow.parquet").ParquetWriter(
        file, schema_in_arrow(table, numbered=True), store_schema=False, **_encodings(told, words)
    )
    # Readers make of columns what this entry says that they were: not dictionaries, where these are the file's alone.
    writer.add_key_value_metadata({"ARROW:schema": b64encode(told.serialize())})
    return writer


def _encodings(schema: Any, words: set[str]) -> dict[str, Any]:
    """Numbers that only grow, of records and times, are written as differences; others repeat, and get dictionaries.

    Addresses have no statistics: packets of a while have all of them, so that the least and the greatest tell nothing,
    and finding these takes as long as all else that is done for their columns.
    """
    types = library("pyarrow").types
    growing = [field.name for field in schema if types.is_timestamp(field.type) or types.is_uint64(field.type)]
    return {
        "use_dictionary": [name for name in schema.names if name not in growing],
        "column_encoding": dict.fromkeys(growing, "DELTA_BINARY_PACKED"),
        "write_statistics": [name for name in schema.names if name not in words],
    }
