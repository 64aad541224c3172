"""The compiled extension, as cffi makes it."""

from typing import Any

ffi: Any
lib: Any
