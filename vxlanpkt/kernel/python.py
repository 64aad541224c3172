"""The Python kernel: the specification that any other must equal, status by status and byte by byte."""

from __future__ import annotations

from vxlanpkt.kernel.scanning import scan as scan
from vxlanpkt.kernel.scanning import walk as walk
