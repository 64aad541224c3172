# The packet loops of an overlay, compiled (overlay/_datapath.c).
"""The compiled extension, as cffi makes it."""

from typing import Any

ffi: Any
lib: Any
