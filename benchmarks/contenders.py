"""The contenders in the order of the tables: this library, then its peers; those not installed are left out."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec

from benchmarks.contender import Contender
from benchmarks.ours import Ours
from benchmarks.peers.struct_loop import StructLoop

_INSTALLABLE = (
    ("dpkt", "benchmarks.peers.dpkt_peer", "Dpkt"),
    ("pypacker", "benchmarks.peers.pypacker_peer", "Pypacker"),
    ("scapy", "benchmarks.peers.scapy_peer", "Scapy"),
)


def contenders() -> list[Contender]:
    """Ours first, then the struct loop, then the libraries that are there."""
    found: list[Contender] = [Ours(), StructLoop()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a peer warns of when imported is its own affair
        found.extend(
            getattr(import_module(module), name)()
            for distribution, module, name in _INSTALLABLE
            if find_spec(distribution) is not None
        )
    return found
