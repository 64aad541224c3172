"""Columns of captures in Spark's types, which has no unsigned numbers, and counts microseconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pyspark.sql import types

from vxlanpkt.capture.columns import COLUMNS, FILE
from vxlanpkt.errors import FieldError

PART, NANOSECONDS, FAULT = "part", "timestamp_ns", "fault"

# By how the Arrow C interface writes them: the next larger signed type, so that no number becomes another.
_TYPES: dict[str, Any] = {
    "C": types.ShortType(), "S": types.IntegerType(), "I": types.LongType(), "L": types.LongType(),
    "c": types.StringType(), "u": types.StringType(), "tsn:UTC": types.TimestampType(),
}  # fmt: skip
_IN_ARROW: dict[type, Any] = {
    types.ShortType: pa.int16(), types.IntegerType: pa.int32(), types.LongType: pa.int64(),
    types.StringType: pa.string(), types.TimestampType: pa.timestamp("us", "UTC"), types.BinaryType: pa.binary(),
}  # fmt: skip
_ADDRESSES = ("outer_src", "outer_dst", "inner_src", "inner_dst", "inner_src_mac", "inner_dst_mac")


def spark_schema(columns: Iterable[str] | None, binary: bool, with_faults: bool) -> Any:
    """The columns that are wanted, or all. Raises FieldError for one that is not known."""
    known = {FILE.name: types.StringType(), PART: types.LongType()}
    for column in COLUMNS:
        known[column.name] = _TYPES[column.format]
        if column.name == "timestamp":
            known[NANOSECONDS] = types.LongType()
    if binary:
        known |= dict.fromkeys(_ADDRESSES, types.BinaryType())
    if with_faults:
        known[FAULT] = types.StringType()
    chosen = tuple(known if columns is None else columns)
    for name in chosen:
        if name not in known:
            raise _refused(name, f"a column: these are {', '.join(known)}")
    return types.StructType([types.StructField(name, known[name]) for name in chosen])


def arrow_schema(schema: Any) -> pa.Schema:
    """What Spark expects of batches with a schema. Raises FieldError for a type that no column can have."""
    fields = []
    for field in schema.fields:
        found = _IN_ARROW.get(type(field.dataType))
        if found is None:
            raise _refused(field.name, f"to be had as {field.dataType.simpleString()}")
        fields.append(pa.field(field.name, found, field.nullable))
    return pa.schema(fields)


def as_spark(rows: pa.Table, schema: pa.Schema, part: int) -> pa.Table:
    """The rows of a table of ours, with a column for each of Spark's *schema*; times are rounded down."""
    made = [_column(rows, field, part).cast(field.type, safe=False) for field in schema]
    return pa.Table.from_arrays(made, schema=schema)


def _column(rows: pa.Table, field: pa.Field, part: int) -> Any:
    if field.name == PART:
        return pa.chunked_array([pa.repeat(pa.scalar(part, pa.int64()), rows.num_rows)])
    if field.name == FAULT:
        return pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    if field.name == NANOSECONDS:
        return rows["timestamp"].cast(pa.int64())
    return _micros(rows["timestamp"]) if field.name == "timestamp" else rows[field.name]


def _micros(times: Any) -> Any:
    """Times in whole microseconds, rounded down also before 1970, where a cast rounds up."""
    import pyarrow.compute as pc

    return pc.floor_temporal(times, unit="microsecond")


def ours(schema: pa.Schema) -> list[str]:
    """The columns of ours that those of a schema are made of."""
    names = ["timestamp" if name == NANOSECONDS else name for name in schema.names if name not in (PART, FAULT)]
    return list(dict.fromkeys(names)) or ["record"]


def _refused(name: str, expected: str) -> FieldError:
    return FieldError(f"columns: {name!r} is not {expected}", layer="spark", field="columns", value=name, bits=None)
