"""What this wing says of an argument that it cannot take."""

from __future__ import annotations

from collections.abc import Sequence

from vxlanpkt.errors import FieldError


def require_one_of(field: str, value: object, allowed: Sequence[str]) -> None:
    """Raise FieldError for a value that is none of those allowed."""
    if value not in allowed:
        raise refused(field, value, f"one of {', '.join(allowed)}")


def refused(field: str, value: object, expected: str) -> FieldError:
    """The error for a value that is not what it has to be."""
    return FieldError(f"{field}: {value!r} is not {expected}", layer="capture", field=field, value=value, bits=None)
