"""What functions over batches refuse: both kernels say the same, of several faults the same one, and write nothing."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from vxlanpkt import DecapPolicy, Tunnel
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.answers import NO_SPACE, OVERLAP, UNSOUND, WRONG_COLUMNS
from vxlanpkt.kernel.contract.captures import MAC, Address, Derived, Known
from vxlanpkt.kernel.contract.columns import ALTERED_LAYOUT, DECAP_LAYOUT, ENCAP_LAYOUT, SIGHTING_LAYOUT, TRAIT_LAYOUT
from vxlanpkt.kernel.contract.decapsulation import Alterations
from vxlanpkt.kernel.contract.encapsulation import EncapMode
from vxlanpkt.kernel.contract.filtering import REGISTERS, Step, StepKind
from vxlanpkt.kernel.contract.grouping import SEED_SIZE, Counted
from vxlanpkt.kernel.contract.sightings import ENTRY_SET, Sighted
from vxlanpkt.kernel.contract.spans import Kind
from vxlanpkt.kernel.contract.tables import KEY_BITS, MAP_SEED_SIZE, STATIC, Asked, AskedMACs, Senders

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c

BOTH = (python, c)
ROWS = 2
SECRETS = (1, 2, 3, 4)
# What may be wrong, in the order in which it is said.
ANSWERS = {"overlap": OVERLAP, "columns": WRONG_COLUMNS, "room": NO_SPACE, "program": UNSOUND}


def column(code: Any, count: int = ROWS) -> memoryview:
    return memoryview(array(code, [0] * count))


class Case:
    """A call of one function on two rows, which is wrong in the ways that are named."""

    def __init__(self, kernel: Any, wrong: frozenset[str]) -> None:
        self.kernel = kernel
        self.wrong = wrong
        self.out = kernel.new_buffer(0)

    def make_room(self, size: int) -> Any:
        """An output of so many bytes, or one of which a byte is missing."""
        self.out = self.kernel.new_buffer(size - ("room" in self.wrong))
        self.kernel.view(self.out)[:] = b"\xaa" * len(self.out)
        return self.out

    def shared(self, code: Any, count: int = ROWS) -> memoryview:
        """A column, or the memory of the output in its place."""
        own = column(code, count)
        return self.kernel.view(self.out)[: own.nbytes].cast(code) if "overlap" in self.wrong else own

    def short(self, code: Any) -> memoryview:
        """A column, or one that has no item for the last row."""
        return column(code, ROWS - ("columns" in self.wrong))

    def frames(self, data: memoryview | None = None, length: int = 14) -> Any:
        given = memoryview(bytes(28)) if data is None else data
        return self.kernel.hold_frames(given, column("Q"), memoryview(array("I", [length] * ROWS)), None)


def altered(case: Case) -> Any:
    out = case.make_room(ROWS * ALTERED_LAYOUT.row_size)
    alterations = Alterations(column("B"), column("H"), case.shared("H"), case.short("B"))
    return case.kernel.alter(case.frames(length=0), alterations, out)


def bucketed(case: Case) -> Any:
    out = case.make_room(8 * ROWS)
    times = case.shared("q", 1) if "overlap" in case.wrong else column("q")
    return case.kernel.bucket(times, 0 if "columns" in case.wrong else 1, out)


def described(case: Case) -> Any:
    out = case.make_room(ROWS * TRAIT_LAYOUT.row_size)
    return case.kernel.traits(case.frames(case.shared("B", 28)), Kind.RAW, case.short("H"), out)


def digested(case: Case) -> Any:
    out = case.make_room(8 * ROWS)
    counted = Counted(ROWS, [(case.short("B"), 1)], None, None, None, None, None, case.shared("B"))
    return case.kernel.digest(case.kernel.hold_counted(counted), None, SECRETS, out)


def sighted(case: Case) -> Any:
    out, memory = case.make_room(ROWS * SIGHTING_LAYOUT.row_size), case.kernel.new_buffer(ENTRY_SET)
    case.kernel.view(memory)[:] = bytes(ENTRY_SET)
    return case.kernel.sight(Sighted(column("Q"), case.shared("I"), case.short("q"), 0, 1), memory, out)


def counted(case: Case) -> Any:
    table = case.kernel.new_groups(4, 4, bytes(SEED_SIZE))
    rows = Counted(ROWS, [(column("I"), 4)], None, None, None, None, None, None)
    case.kernel.group(case.kernel.hold_counted(rows), 0, table)
    own = case.kernel.entries(table)[:ROWS] if "overlap" in case.wrong else None
    again = rows._replace(flags=case.short("H"), selected=own)
    return case.kernel.group(case.kernel.hold_counted(again), 0, table)


def moved(case: Case) -> Any:
    size, capacity, seed = 3 if "columns" in case.wrong else 4, 1 if "room" in case.wrong else 4, bytes(SEED_SIZE)
    return case.kernel.move_groups(case.kernel.new_groups(4, 2, seed), case.kernel.new_groups(size, capacity, seed))


def found(case: Case) -> Any:
    out, size = case.make_room(4 * ROWS), 0 if "columns" in case.wrong else 2
    return case.kernel.find_groups(case.kernel.new_groups(size, 4, bytes(SEED_SIZE)), case.shared("B", 4), out)


def moved_prefixes(case: Case) -> Any:
    seed, keys = bytes(MAP_SEED_SIZE), memoryview(b"".join(bytes((at >> 8, at & 255)) + bytes(14) for at in range(600)))
    old = case.kernel.new_map([16, 24], 601, seed)
    case.kernel.put_prefixes(old, keys, 16, column("I", 600), STATIC)
    case.kernel.put_prefixes(old, keys[:16], 24, column("I", 1), STATIC)
    new = case.kernel.new_map([16] if "columns" in case.wrong else [16, 24], 1 if "room" in case.wrong else 700, seed)
    return case.kernel.move_prefixes(old, new)


def looked_up(case: Case) -> Any:
    out, width = case.make_room(4 * ROWS), 17 if "columns" in case.wrong else 4
    asked = Asked(ROWS, column("B", 64), 32, 0, width, case.shared("B"), 0)
    return case.kernel.look_up(case.kernel.new_map([24], 4, bytes(MAP_SEED_SIZE)), asked, out)


def looked_up_macs(case: Case) -> Any:
    out = case.make_room(4 * ROWS)
    # Of the frames too, so that the columns beside them may be of any length.
    asked = AskedMACs(case.frames(case.shared("B", 7)), 1, column("I"), case.short("B"), 0)
    return case.kernel.look_up_macs(case.kernel.new_map([KEY_BITS], 4, bytes(MAP_SEED_SIZE)), asked, out)


def refreshed(case: Case) -> Any:
    out = case.make_room(ROWS)
    asked = AskedMACs(case.frames(case.shared("B", 1)), 1, None, None, 0)
    senders = Senders(case.short("I"), column("I"), 0)
    return case.kernel.refresh_macs(case.kernel.new_map([KEY_BITS], 4, bytes(MAP_SEED_SIZE)), asked, senders, out)


def chosen(case: Case) -> Any:
    out = case.make_room(4 * ROWS)
    return case.kernel.choose_rows(case.shared("B"), case.short("B"), out)


def decapsulated(case: Case) -> Any:
    out, rules = case.make_room(ROWS * DECAP_LAYOUT.row_size), case.kernel.hold_rules(DecapPolicy().rules)
    return case.kernel.decap(case.frames(case.shared("B", 28)), Kind.ETHERNET, rules, False, out)


def encapsulated(case: Case) -> Any:
    tunnel = Tunnel(7, "192.0.2.1", "192.0.2.2")
    table = case.kernel.hold_table([case.kernel.hold_recipe(tunnel._recipe)])
    out = case.make_room(ROWS * (ENCAP_LAYOUT.row_size + tunnel.overhead + 14))
    index = case.kernel.hold_index(case.shared("I"))
    return case.kernel.encap(case.frames(), table, index, None, EncapMode.COPY, out)


def result(case: Case) -> Any:
    """The columns of a result, or the output in their place."""
    columns = case.kernel.new_buffer(ROWS * DECAP_LAYOUT.row_size)
    case.kernel.view(columns)[:] = bytes(len(columns))
    return case.out if "overlap" in case.wrong else columns


def selected(case: Case) -> Any:
    out = case.make_room(ROWS)
    step = Step(StepKind.REGISTER, low=REGISTERS if "program" in case.wrong else 0)
    program = case.kernel.hold_program([step], False)
    return case.kernel.select(case.frames(), Kind.ETHERNET, result(case), False, program, out)


def known(case: Case) -> Any:
    out = case.make_room(len(Known) * 16)
    return case.kernel.known(result(case), case.frames(), column("q"), column("I"), False, out)


def known_by_times(case: Case) -> Any:
    out, columns = case.make_room(len(Known) * 16), case.kernel.new_buffer(ROWS * DECAP_LAYOUT.row_size)
    return case.kernel.known(columns, case.frames(), case.shared("q"), column("I"), False, out)


def derived(case: Case) -> Any:
    out = case.make_room(2 * ROWS)
    return case.kernel.derived(result(case), case.frames(), Derived.INNER_VLAN, out)


def addresses(case: Case) -> Any:
    out = case.make_room(4 * (ROWS + 1))
    return case.kernel.address_text(result(case), ROWS, Address.INNER_SRC, out)


def macs(case: Case) -> Any:
    out = case.make_room(4 * (ROWS + 1) + 17 * ROWS)
    return case.kernel.mac_text(result(case), case.frames(), MAC.SRC, out)


def packed_macs(case: Case) -> Any:
    out = case.make_room(6 * ROWS)
    return case.kernel.mac_bytes(result(case), case.frames(), MAC.SRC, out)


def numbered(case: Case) -> Any:
    out, words = case.make_room(4 * ROWS), case.kernel.new_words(4, bytes(SEED_SIZE))
    return case.kernel.number_addresses(result(case), ROWS, Address.INNER_SRC, 0, words, out)


def numbered_macs(case: Case) -> Any:
    out, words = case.make_room(4 * ROWS), case.kernel.new_words(4, bytes(SEED_SIZE))
    return case.kernel.number_macs(result(case), case.frames(), MAC.SRC, 0, words, out)


def named(case: Case) -> Any:
    out = case.make_room(4 * (ROWS + 1) + 1)
    return case.kernel.names(case.shared("I"), case.kernel.hold_names(), out)


def picked(case: Case) -> Any:
    out = case.make_room(4 * ROWS)
    return case.kernel.pick(case.shared("B", 8), [4], memoryview(b"\1" * ROWS), out)


OF_COLUMNS = ("overlap", "columns", "room")
CASES: dict[Callable[[Case], Any], tuple[str, ...]] = {
    **dict.fromkeys((altered, bucketed, described, digested, sighted, found), OF_COLUMNS),
    **dict.fromkeys((looked_up, looked_up_macs, refreshed, chosen), OF_COLUMNS),
    counted: ("overlap", "columns"),
    **dict.fromkeys((moved, moved_prefixes), ("columns", "room")),
    selected: ("overlap", "room", "program"),
    **dict.fromkeys(
        (
            decapsulated, encapsulated, known, known_by_times, derived, addresses, macs, packed_macs, numbered,
            numbered_macs, named, picked,
        ),
        ("overlap", "room"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kernel", BOTH, ids=["python", "c"])
@pytest.mark.parametrize("call", CASES, ids=lambda call: call.__name__)
def test_the_first_fault_is_said(kernel: Any, call: Callable[[Case], Any]) -> None:
    """In every way that a call may be wrong, alone and together; then nothing is written. What is right is done."""
    assert call(Case(kernel, frozenset())) >= 0
    for count in range(1, len(CASES[call]) + 1):
        for wrong in combinations(CASES[call], count):
            case = Case(kernel, frozenset(wrong))
            assert call(case) == ANSWERS[wrong[0]], wrong
            assert set(bytes(kernel.view(case.out))) <= {0xAA}, wrong
