"""Bulk work on buffers: one contract, and the kernel that VXLANPKT_BACKEND picks to meet it.

`python` is the specification. `backend` names the kernel in use.
"""

from __future__ import annotations

import os

from vxlanpkt.kernel.python import NO_TUNNEL as NO_TUNNEL
from vxlanpkt.kernel.python import decap as decap
from vxlanpkt.kernel.python import decap_one as decap_one
from vxlanpkt.kernel.python import encap as encap
from vxlanpkt.kernel.python import encap_header as encap_header
from vxlanpkt.kernel.python import flow_hash as flow_hash
from vxlanpkt.kernel.python import needs_identification as needs_identification
from vxlanpkt.kernel.python import scan as scan
from vxlanpkt.kernel.python import walk as walk

backend = "python"

_wanted = os.environ.get("VXLANPKT_BACKEND", "auto")
if _wanted not in ("auto", "python"):
    raise ImportError(f"VXLANPKT_BACKEND={_wanted}: this build has only the kernel 'python'")
