"""What this wing says of an argument that it cannot take."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from vxlanpkt.errors import refused_argument

refused = partial(refused_argument, "capture")


def require_one_of(field: str, value: object, allowed: Sequence[str]) -> None:
    """Raise FieldError for a value that is none of those allowed."""
    if value not in allowed:
        raise refused(field, value, f"one of {', '.join(allowed)}")
