"""Both kernels side by side, whichever the library runs on."""

from __future__ import annotations

import os

if os.environ.get("VXLANPKT_REQUIRE_C"):
    import vxlanpkt._fastlib  # noqa: F401 - where it is required, its absence fails and does not skip
