"""Encapsulation, of one frame and of batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from vxlanpkt._fastlib import ffi, lib
from vxlanpkt.errors import Reason
from vxlanpkt.kernel.c.checksum import ones_complement_sum
from vxlanpkt.kernel.c.memory import NULL, Held
from vxlanpkt.kernel.contract.encapsulation import DF, ECNMode, EncapMode, EncapRecipe, FlowLabel, UDPChecksum
from vxlanpkt.kernel.contract.protocols import UDP_PROTOCOL

# Looked up once, and what is held by its index: called for every frame, or batch, where a name takes longer.
_encap_header, _encap, _buffer = lib.vxlanpkt_encap_header, lib.vxlanpkt_encap, ffi.buffer


class HeldRecipe(NamedTuple):
    """A tunnel as a table of one, for `encap`; the recipe in it, for single frames; and room for their headers.

    A call takes room from `idle`, or makes some, and leaves it there for the next one: so two threads share none.
    """

    pointer: Any
    kept: Any
    idle: list[tuple[Any, Any]]


def hold_recipe(recipe: EncapRecipe) -> HeldRecipe:
    """A tunnel, held: a table of one."""
    held = ffi.new("struct vxlanpkt_recipe *")
    for name in _NUMBERS_OF_A_RECIPE:
        setattr(held, name, int(getattr(recipe, name)))
    held.length = len(recipe.template)
    held.plain = _is_plain(recipe)
    held.tos = 0 if recipe.inherit_dscp else recipe.dscp << 2
    held.tos_mask = (0xFC if recipe.inherit_dscp else 0) | (0 if recipe.ecn is ECNMode.NONE else 3)
    _fill_header(held, recipe)
    return HeldRecipe(_table(held, 1, len(recipe.template)), held, [])


def _is_plain(recipe: EncapRecipe) -> bool:
    """Whether an inner frame gives the outer header nothing but its length, its flow and bits of its TOS."""
    return not (
        recipe.raw or recipe.gpe or recipe.symmetric or recipe.inherit_ttl or recipe.df is DF.INHERIT
        or recipe.flow_label_mode is not FlowLabel.FIXED or recipe.udp_checksum is UDPChecksum.INNER
    )  # fmt: skip


def _fill_header(held: Any, recipe: EncapRecipe) -> None:
    """The header with all that is the same in every frame, and the sums of it."""
    header = bytearray(recipe.template)
    ip = recipe.ip_offset
    if recipe.family == 4:
        held.ipv4_sum = ones_complement_sum(header[ip : ip + 20])
        header[ip + 6] = 0x40 if recipe.df is DF.SET else 0
        header[ip + 8] = recipe.ttl
        held.plain_sum = ones_complement_sum(header[ip : ip + 20], 36)  # the length of the headers in the total length
    else:
        header[ip + 7] = recipe.ttl
    addresses = header[-24:-16] if recipe.family == 4 else header[-48:-16]
    held.udp_sum = ones_complement_sum(addresses) + UDP_PROTOCOL + ones_complement_sum(header[-16:])
    _buffer(held.header)[0 : len(header)] = header


_NUMBERS_OF_A_RECIPE = (
    "ip_offset", "low_port", "high_port", "flow_label", "family", "ttl", "inherit_ttl", "dscp", "inherit_dscp", "ecn",
    "df", "flow_label_mode", "udp_checksum", "symmetric", "gpe", "raw", "inner_ip",
)  # fmt: skip


def hold_table(recipes: Sequence[HeldRecipe]) -> Held:
    """A table of tunnels that are held."""
    held = ffi.new("struct vxlanpkt_recipe[]", len(recipes))
    largest = 0
    for at, recipe in enumerate(recipes):
        held[at] = recipe.kept[0]
        largest = max(largest, recipe.pointer.largest)
    return Held(_table(held, len(recipes), largest), held)


def _table(recipes: Any, count: int, largest: int) -> Any:
    table = ffi.new("struct vxlanpkt_table *")
    table.recipes, table.count, table.largest = recipes, count, largest
    return table


def hold_index(index: Sequence[int]) -> Any:
    """A column that says which tunnel of a table each row takes."""
    return ffi.from_buffer("uint32_t[]", index)


def encap_one(data: bytes, recipe: HeldRecipe, identification: int) -> bytes | Reason:
    """The whole outer frame around *data*, or why it cannot be sent."""
    idle = recipe[2]
    try:
        room = idle.pop()
    except IndexError:
        room = _new_room(recipe)
    reason = _encap_header(data, len(data), recipe[1], identification, room[0])
    frame = Reason(reason) if reason else b"".join((room[1], data))
    idle.append(room)
    return frame


def _new_room(recipe: HeldRecipe) -> tuple[Any, Any]:
    """Memory for a header, and the bytes of it that this one takes."""
    header = ffi.new("struct vxlanpkt_header *")
    return header, _buffer(header.bytes, recipe.kept.length)


def clears_df(data: bytes, recipe: HeldRecipe) -> bool:
    """Whether the outer IPv4 header of this frame has DF clear, so that its identification matters (RFC 6864)."""
    return bool(lib.vxlanpkt_clears_df(data, len(data), recipe[1]))


def total_length(frames: Held) -> int:
    """The bytes of all rows that can be sent."""
    return lib.vxlanpkt_total_length(frames.pointer)  # type: ignore[no-any-return]


def encap(
    frames: Held, table: Held, index: Any, identification: int | None, mode: EncapMode, out: Any
) -> int:  # fmt: skip
    """Encapsulate every row. The columns lie in *out*, and the bytes of the rows behind them."""
    first = -1 if identification is None else identification
    return _encap(  # type: ignore[no-any-return]
        frames[0], table[0], NULL if index is None else index, first, mode, out, len(out)
    )
