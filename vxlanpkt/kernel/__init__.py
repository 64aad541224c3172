"""Bulk work on buffers: one contract, and the kernel that VXLANPKT_BACKEND picks to meet it.

`python` is the specification. `backend` names the kernel in use.
"""

from __future__ import annotations

from vxlanpkt.kernel.python import scan as scan
from vxlanpkt.kernel.python import walk as walk

backend = "python"
