"""Bulk work on buffers: one contract, and the kernel that VXLANPKT_BACKEND picks to meet it.

`python` is the specification, `c` the compiled one. `backend` names the kernel in use. VXLANPKT_BACKEND
is auto (the compiled one where it is there), c, or python. Each of its functions is loaded when it is first used; who
calls one for every frame imports it by its name, as attributes of a module that does so are slower to get.

What is done with one frame, or one header, and not with bytes in bulk, is the Python kernel's whichever is in use:
`python.altering.altered`, `python.filtering.run`, `python.scanning.extension_length`.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from vxlanpkt._names import loaded_on_use
from vxlanpkt.kernel.contract import CONTRACT
from vxlanpkt.kernel.contract.functions import FUNCTIONS

if TYPE_CHECKING:
    from vxlanpkt.kernel.python.altering import alter as alter
    from vxlanpkt.kernel.python.checksum import internet_checksum as internet_checksum
    from vxlanpkt.kernel.python.checksum import ones_complement_sum as ones_complement_sum
    from vxlanpkt.kernel.python.checksum import transport_checksum as transport_checksum
    from vxlanpkt.kernel.python.columns import add_name as add_name
    from vxlanpkt.kernel.python.columns import address_room as address_room
    from vxlanpkt.kernel.python.columns import address_text as address_text
    from vxlanpkt.kernel.python.columns import derived as derived
    from vxlanpkt.kernel.python.columns import hold_names as hold_names
    from vxlanpkt.kernel.python.columns import known as known
    from vxlanpkt.kernel.python.columns import mac_bytes as mac_bytes
    from vxlanpkt.kernel.python.columns import mac_text as mac_text
    from vxlanpkt.kernel.python.columns import names as names
    from vxlanpkt.kernel.python.columns import names_room as names_room
    from vxlanpkt.kernel.python.columns import numbers as numbers
    from vxlanpkt.kernel.python.columns import pick as pick
    from vxlanpkt.kernel.python.counting import count_records as count_records
    from vxlanpkt.kernel.python.counting import hold_counts as hold_counts
    from vxlanpkt.kernel.python.decapsulation import as_record as as_record
    from vxlanpkt.kernel.python.decapsulation import decap as decap
    from vxlanpkt.kernel.python.decapsulation import decap_one as decap_one
    from vxlanpkt.kernel.python.decapsulation import hold_rules as hold_rules
    from vxlanpkt.kernel.python.decapsulation import locate_inner as locate_inner
    from vxlanpkt.kernel.python.encapsulation import clears_df as clears_df
    from vxlanpkt.kernel.python.encapsulation import encap as encap
    from vxlanpkt.kernel.python.encapsulation import encap_one as encap_one
    from vxlanpkt.kernel.python.encapsulation import hold_index as hold_index
    from vxlanpkt.kernel.python.encapsulation import hold_recipe as hold_recipe
    from vxlanpkt.kernel.python.encapsulation import hold_table as hold_table
    from vxlanpkt.kernel.python.encapsulation import total_length as total_length
    from vxlanpkt.kernel.python.filtering import hold_program as hold_program
    from vxlanpkt.kernel.python.filtering import select as select
    from vxlanpkt.kernel.python.frames import hold_frames as hold_frames
    from vxlanpkt.kernel.python.grouping import bucket as bucket
    from vxlanpkt.kernel.python.grouping import entries as entries
    from vxlanpkt.kernel.python.grouping import find_groups as find_groups
    from vxlanpkt.kernel.python.grouping import group as group
    from vxlanpkt.kernel.python.grouping import hold_counted as hold_counted
    from vxlanpkt.kernel.python.grouping import left_out as left_out
    from vxlanpkt.kernel.python.grouping import move_groups as move_groups
    from vxlanpkt.kernel.python.grouping import new_groups as new_groups
    from vxlanpkt.kernel.python.hashing import flow_hash as flow_hash
    from vxlanpkt.kernel.python.memory import address_of as address_of
    from vxlanpkt.kernel.python.memory import new_buffer as new_buffer
    from vxlanpkt.kernel.python.memory import view as view
    from vxlanpkt.kernel.python.records import add_interface as add_interface
    from vxlanpkt.kernel.python.records import hold_section as hold_section
    from vxlanpkt.kernel.python.records import read_records as read_records
    from vxlanpkt.kernel.python.releases import ENDS_STREAMS as ENDS_STREAMS
    from vxlanpkt.kernel.python.releases import RELEASES as RELEASES
    from vxlanpkt.kernel.python.releases import callback as callback
    from vxlanpkt.kernel.python.releases import take_released as take_released
    from vxlanpkt.kernel.python.scanning import hold_ports as hold_ports
    from vxlanpkt.kernel.python.scanning import scan as scan
    from vxlanpkt.kernel.python.scanning import walk as walk
    from vxlanpkt.kernel.python.sightings import digest as digest
    from vxlanpkt.kernel.python.sightings import sight as sight
    from vxlanpkt.kernel.python.sightings import traits as traits
    from vxlanpkt.kernel.python.tables import count_prefixes as count_prefixes
    from vxlanpkt.kernel.python.tables import drop_prefixes as drop_prefixes
    from vxlanpkt.kernel.python.tables import find_prefix as find_prefix
    from vxlanpkt.kernel.python.tables import list_prefixes as list_prefixes
    from vxlanpkt.kernel.python.tables import look_up as look_up
    from vxlanpkt.kernel.python.tables import look_up_macs as look_up_macs
    from vxlanpkt.kernel.python.tables import move_prefixes as move_prefixes
    from vxlanpkt.kernel.python.tables import new_map as new_map
    from vxlanpkt.kernel.python.tables import prefix_of_none as prefix_of_none
    from vxlanpkt.kernel.python.tables import put_prefixes as put_prefixes
    from vxlanpkt.kernel.python.tables import refresh_macs as refresh_macs
    from vxlanpkt.kernel.python.tables import settle as settle
    from vxlanpkt.kernel.python.words import count_words as count_words
    from vxlanpkt.kernel.python.words import move_words as move_words
    from vxlanpkt.kernel.python.words import new_words as new_words
    from vxlanpkt.kernel.python.words import number_addresses as number_addresses
    from vxlanpkt.kernel.python.words import number_macs as number_macs
    from vxlanpkt.kernel.python.words import words_room as words_room
    from vxlanpkt.kernel.python.words import words_text as words_text
    from vxlanpkt.kernel.python.writing import choose_rows as choose_rows
    from vxlanpkt.kernel.python.writing import hold_packets as hold_packets
    from vxlanpkt.kernel.python.writing import hold_target as hold_target
    from vxlanpkt.kernel.python.writing import put_records as put_records
    from vxlanpkt.kernel.python.writing import sort_rows as sort_rows


def _choose(wanted: str) -> str:
    """The name of the kernel's package."""
    if wanted not in ("auto", "c", "python"):
        raise ImportError(f"VXLANPKT_BACKEND={wanted}: it is one of auto, c, python")
    if wanted != "python":
        try:
            fastlib = import_module("vxlanpkt._fastlib")
        except ImportError as error:
            if wanted == "c":
                raise ImportError(f"VXLANPKT_BACKEND=c: this build has only the kernel 'python' ({error})") from error
        else:
            _refuse_stale(fastlib)
            return "c"
    return "python"


def _refuse_stale(fastlib: ModuleType) -> None:
    """An extension that was built from other declarations would misread what it is handed: nothing picks it."""
    if getattr(fastlib.lib, "VXLANPKT_CONTRACT", None) != CONTRACT:
        raise ImportError(
            f"{fastlib.__file__} was built from other sources than these: rebuild it (pip install, with -e for an "
            "editable install), or set VXLANPKT_BACKEND=python"
        )


backend = _choose(os.environ.get("VXLANPKT_BACKEND", "auto"))
__getattr__ = loaded_on_use(__name__, {f"{backend}.{module}": names for module, names in FUNCTIONS.items()})
