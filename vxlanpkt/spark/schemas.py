"""The tables that captures are in Spark's types, which has no unsigned numbers, and counts microseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import types

from vxlanpkt.capture.columns import COLUMNS, FILE
from vxlanpkt.errors import refused_argument

PART, FAULT = "part", "fault"
_NANOSECONDS = "_ns"  # what the name of a time ends in that is a number of nanoseconds

_SHORT, _INT, _LONG = types.ShortType(), types.IntegerType(), types.LongType()
_TEXT, _TIME = types.StringType(), types.TimestampType()

# By how the Arrow C interface writes them: the next larger signed type, so that no number becomes another.
_TYPES: Mapping[str, Any] = {"C": _SHORT, "S": _INT, "I": _LONG, "L": _LONG, "c": _TEXT, "u": _TEXT, "tsn:UTC": _TIME}
_IN_ARROW: Mapping[type, Any] = {
    types.ShortType: pa.int16(), types.IntegerType: pa.int32(), types.LongType: pa.int64(),
    types.StringType: pa.string(), types.TimestampType: pa.timestamp("us", "UTC"), types.BinaryType: pa.binary(),
}  # fmt: skip
_ADDRESSES = frozenset((
    "outer_src", "outer_dst", "inner_src", "inner_dst", "inner_src_mac", "inner_dst_mac", "src", "dst",
))  # fmt: skip


def _with_nanoseconds(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns, and behind each time the same as a number of nanoseconds."""
    every: dict[str, Any] = {}
    for name, of in columns.items():
        every |= {name: of, name + _NANOSECONDS: _LONG} if of == _TIME else {name: of}
    return every


_TABLES: Mapping[str, Mapping[str, Any]] = {
    "records": _with_nanoseconds({
        FILE.name: _TEXT, PART: _LONG, **{column.name: _TYPES[column.format] for column in COLUMNS},
    }),
    "flows": _with_nanoseconds({
        "vni": _LONG, "src": _TEXT, "dst": _TEXT, "src_port": _INT, "dst_port": _INT, "protocol": _SHORT,
        "ethertype": _INT, "packets": _LONG, "bytes": _LONG, "first": _TIME, "last": _TIME, "tcp_flags": _INT,
    }),
    "vteps": _with_nanoseconds({
        "src": _TEXT, "dst": _TEXT, "vni": _LONG, "packets": _LONG, "inner_bytes": _LONG, "outer_bytes": _LONG,
        "first": _TIME, "last": _TIME,
    }),
}  # fmt: skip
TABLES = tuple(_TABLES)
_OF_FAULTS = {FILE.name: _TEXT, FAULT: _TEXT}


def spark_schema(table: str, columns: Iterable[str] | None, binary: bool, with_faults: bool) -> Any:
    """The columns of a table that are wanted, or all. Raises FieldError for one that is not known."""
    known = dict(_TABLES[table])
    if binary:
        known |= dict.fromkeys(known.keys() & _ADDRESSES, types.BinaryType())
    if with_faults:
        known |= _OF_FAULTS
    chosen = tuple(known if columns is None else columns)
    for name in chosen:
        _require_known(name, known)
    return types.StructType([types.StructField(name, known[name]) for name in chosen])


def arrow_schema(table: str, schema: Any) -> pa.Schema:
    """What Spark expects of batches of a table with a schema. Raises FieldError for what no column can be."""
    fields = []
    for field in schema.fields:
        _require_known(field.name, {**_TABLES[table], **_OF_FAULTS})
        found = _IN_ARROW.get(type(field.dataType))
        if found is None:
            raise refused_argument("spark", "columns", field.name, f"to be had as {field.dataType.simpleString()}")
        fields.append(pa.field(field.name, found, field.nullable))
    return pa.schema(fields)


def as_spark(rows: pa.Table, schema: pa.Schema, part: int) -> pa.Table:
    """The rows of a table of ours, with a column for each of Spark's *schema*; times are rounded down.

    Raises FieldError for a column whose values are not all of the type that the user's schema gives it.
    """
    made = [_cast(_column(rows, field, part), field) for field in schema]
    return pa.Table.from_arrays(made, schema=schema)


def _cast(column: Any, field: pa.Field) -> Any:
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        expected = f"a type that takes all of its values: {error}"
        raise refused_argument("spark", field.name, str(field.type), expected) from error


def _column(rows: pa.Table, field: pa.Field, part: int) -> Any:
    if field.name == PART:
        return pa.chunked_array([pa.repeat(pa.scalar(part, pa.int64()), rows.num_rows)])
    name = field.name.removesuffix(_NANOSECONDS)
    if name not in rows.column_names:  # of faults
        return pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
    if name != field.name:
        return rows[name].cast(pa.int64())
    return _micros(rows[name]) if pa.types.is_timestamp(rows[name].type) else rows[name]


def _micros(times: Any) -> Any:
    """Times in whole microseconds, rounded down also before 1970, where a cast rounds up."""
    return pc.floor_temporal(times, unit="microsecond")


def ours(schema: pa.Schema) -> list[str]:
    """The columns of ours that those of a schema are made of."""
    names = [name.removesuffix(_NANOSECONDS) for name in schema.names if name not in (PART, FAULT)]
    return list(dict.fromkeys(names))


def _require_known(name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise refused_argument("spark", "columns", name, f"a column: these are {', '.join(known)}")
