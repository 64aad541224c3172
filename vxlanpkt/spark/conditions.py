"""Conditions that Spark hands over, asked of batches before these travel to the JVM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "EqualTo": pc.equal, "GreaterThan": pc.greater, "GreaterThanOrEqual": pc.greater_equal, "LessThan": pc.less,
    "LessThanOrEqual": pc.less_equal, "StringStartsWith": pc.starts_with, "StringEndsWith": pc.ends_with,
    "StringContains": pc.match_substring,
}  # fmt: skip


def is_understood(condition: Any, schema: pa.Schema) -> bool:
    """Whether a condition can be asked here with the same answer: of numbers and texts, in columns that are there."""
    kind = type(condition).__name__
    if kind == "Not":
        return is_understood(condition.child, schema)
    if len(condition.attribute) != 1 or condition.attribute[0] not in schema.names:
        return False
    if kind in ("IsNull", "IsNotNull"):
        return True
    of = schema.field(condition.attribute[0]).type
    wanted = int if pa.types.is_integer(of) else str if pa.types.is_string(of) else None
    values = condition.value if kind == "In" else (getattr(condition, "value", None),)
    return (kind in _COMPARED or kind == "In") and all(type(value) is wanted for value in values)


def fulfilled(rows: pa.Table, condition: Any) -> Any:
    """Which rows fulfil a condition that is understood; null where SQL says so."""
    kind = type(condition).__name__
    if kind == "Not":
        return pc.invert(fulfilled(rows, condition.child))
    column = rows[condition.attribute[0]]
    if kind in ("IsNull", "IsNotNull"):
        return column.is_null() if kind == "IsNull" else column.is_valid()
    if kind == "In":
        found = pc.is_in(column, pa.array(list(condition.value), column.type))
        return pc.if_else(column.is_valid(), found, None)
    value = condition.value if kind.startswith("String") else pa.scalar(condition.value)
    return _COMPARED[kind](column, value)
