"""The bulk jobs do what they say: the floor copies and adds up, the library's results are right. Nothing is timed."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import floor
from benchmarks.bulk import fixed, grid, mixed, threads
from benchmarks.bulk.cell import Cell, Record
from benchmarks.bulk.figures import figures
from benchmarks.bulk.goals import Goal, goals
from benchmarks.bulk.inputs import IMIX, SIZES, TUNNEL4, TUNNEL6, inner_frames, tunnel_table
from benchmarks.bulk.tables import report
from benchmarks.contender import VNI
from benchmarks.frames import internet_sum
from benchmarks.timing import median_interval
from vxlanpkt import ChecksumState

ROWS = 24


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    """Each of the frame sizes."""
    return str(request.param)


@pytest.fixture
def frames(size: str) -> list[bytes]:
    """The inner frames of the batches."""
    return inner_frames(size, ROWS)


@pytest.fixture
def names(size: str) -> dict[str, Any]:
    """What the expressions speak of."""
    return grid.names(size, ROWS)


def done(names: dict[str, Any], job: str) -> Any:
    """What a job's expression returns."""
    (expression,) = (one.expression for one in grid.JOBS if one.name == job)
    return eval(expression, dict(names))


def copied(target: Any) -> list[bytes]:
    """The frames in rows of C."""
    return [
        bytes(floor.ffi.buffer(target.data + target.offsets[row], target.lengths[row])) for row in range(target.count)
    ]


def test_sizes(size: str, frames: list[bytes]) -> None:
    """Distinct frames of the size promised; IMIX is 7, 4 and 1 of twelve."""
    lengths = [len(frame) for frame in frames]
    assert len(set(frames)) == ROWS
    assert sorted(lengths) == ([64] * 14 + [570] * 8 + [1400] * 2 if size == IMIX else [int(size)] * ROWS)


def test_copies(names: dict[str, Any], frames: list[bytes]) -> None:
    """The floor copies every frame, and the outer frames where it says so."""
    done(names, grid.COPY)
    assert copied(names["target"]) == frames
    done(names, grid.COPY_OUTER)
    assert copied(names["outer_target"]) == names["outer"].to_frames()
    assert done(names, grid.COPY_FRESH) == 0


def test_copy_of_the_whole(names: dict[str, Any]) -> None:
    """All bytes at once."""
    done(names, grid.WHOLE)
    assert bytes(floor.ffi.buffer(names["target"].data, names["size"])) == bytes(names["inner"].data)


def test_sums(names: dict[str, Any], frames: list[bytes]) -> None:
    """The floor's sums are RFC 1071's, of frames of every length."""
    done(names, grid.SUM)
    assert copied(names["target"]) == frames
    assert [total ^ 0xFFFF for total in names["sums"]] == [internet_sum(frame) for frame in frames]


@pytest.mark.parametrize("job", [grid.ENCAP, grid.ENCAP_FRESH, grid.ENCAP_IN_PLACE])
def test_encap(names: dict[str, Any], frames: list[bytes], job: str) -> None:
    """Each way of encapsulating gives what encapsulating one by one gives."""
    assert done(names, job).to_frames() == [TUNNEL4.encap(frame) for frame in frames]


def test_encap_headers(names: dict[str, Any], frames: list[bytes]) -> None:
    """Headers alone."""
    wanted = [TUNNEL4.encap(frame)[: TUNNEL4.overhead] for frame in frames]
    assert done(names, grid.ENCAP_HEADERS).to_frames() == wanted


def test_encap_table(names: dict[str, Any], frames: list[bytes]) -> None:
    """Each row takes its own tunnel, and they differ."""
    index, table = names["index"], tunnel_table()
    assert len(set(index)) > ROWS // 2
    wanted = [table[which].encap(frame) for which, frame in zip(index, frames, strict=True)]
    assert done(names, grid.ENCAP_TABLE).to_frames() == wanted


def test_encap6(names: dict[str, Any], frames: list[bytes]) -> None:
    """Over IPv6 the UDP checksum is there."""
    made = done(names, grid.ENCAP6).to_frames()
    assert made == [TUNNEL6.encap(frame) for frame in frames]
    assert all(any(wire[60:62]) for wire in made)


@pytest.mark.parametrize("job", [grid.DECAP, grid.DECAP_FRESH, grid.DECAP_BRIEF, grid.DECAP_CHECKED, grid.DECAP6])
def test_decap(names: dict[str, Any], frames: list[bytes], job: str) -> None:
    """Each way of decapsulating finds the VNI and the inner frames."""
    result = done(names, job)
    assert result.accepted == list(range(ROWS))
    assert set(result.vni) == {VNI}
    assert result.inner.to_frames() == frames


def test_checksums_are_looked_at(names: dict[str, Any]) -> None:
    """Those jobs that are to verify a checksum do, and the others do not."""
    assert set(done(names, grid.DECAP).ip_checksum) == {ChecksumState.UNCHECKED}
    assert set(done(names, grid.DECAP_CHECKED).ip_checksum) == {ChecksumState.VALID}
    assert set(done(names, grid.DECAP6).udp_checksum) == {ChecksumState.VALID}


@pytest.mark.parametrize("cell", mixed.cells(count=40, few=20), ids=["out of cache", "in cache"])
def test_mixed(cell: Cell) -> None:
    """The batches are of the frames that the loop does, all of them VXLAN."""
    found: Any = {name: function() for name, function in cell.functions().items()}
    names = cell.names()
    assert found[mixed.DECAP].inner.to_frames() == names["inners"]
    assert found[mixed.ENCAP].to_frames() == [TUNNEL4.encap(inner) for inner in names["inners"]]


@pytest.mark.parametrize("cell", [*fixed.cells(fixed.Arguments(8, 0)), *threads.cells(rows=4, times=2)])
def test_others_run(cell: Cell) -> None:
    """Every expression of the other parts can be evaluated, and every base is there."""
    jobs = [job.name for job in cell.jobs]
    assert all(base in jobs for job in cell.jobs for base in job.bases)
    for function in cell.functions().values():
        function()


def test_interval() -> None:
    """The ranks are those of the tables: of 61 values the 23rd and the 39th; of 6 the ends."""
    assert median_interval([float(value) for value in range(1, 62)]) == (31, 23, 39)
    assert median_interval([5.0, 1.0, 2.0, 6.0, 4.0, 3.0]) == (3.5, 1, 6)
    with pytest.raises(ValueError, match="95 %"):
        median_interval([1.0] * 5)


def invented() -> list[Record]:
    """Records of every pair that a goal is about, each twice as slow as its base."""
    return [Record(*goal[:5], call_ns=2000.0, ratio=0.5, low=0.4, high=0.6) for goal in goals(fixed.Arguments())]


def test_every_goal_is_measured() -> None:
    """Each goal is about a job and a base that the run has."""
    cells = [*grid.cells(SIZES, grid.ROWS), *fixed.cells(fixed.Arguments()), *mixed.cells()]
    pairs = {
        (cell.section, cell.frames, cell.rows, job.name, base)
        for cell in cells
        for job in cell.jobs
        for base in job.bases
    }
    assert all(goal[:5] in pairs for goal in goals(fixed.Arguments()))


def test_goals_judge() -> None:
    """Speed has to be enough, cost not too much, and a certain goal goes by the interval."""
    goal = Goal("rows", "64", 1, "job", "base", wanted=0.5)
    records = [Record("rows", "64", 1, "job", "base", 1000.0, 0.5, 0.4, 0.6)]
    assert goal.measured(records) == 0.5
    assert goal.met(0.5)
    assert not goal.met(0.49)
    assert goal._replace(certain=True).measured(records) == 0.4
    assert goal._replace(cost=True).measured(records) == 2
    assert goal._replace(job="another").measured(records) is None


def test_report() -> None:
    """All goals are in the tables, and every line of a table has as many cells as its head."""
    wanted = goals(fixed.Arguments())
    text = report(invented(), wanted)
    assert all(goal.text in text for goal in wanted)
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_figures() -> None:
    """They are well-formed, and name what they show."""
    drawn = figures(invented())
    assert set(drawn) == {"bulk-floor", "bulk-calls"}
    for text in drawn.values():
        assert ElementTree.fromstring(text).tag.endswith("svg")
    assert grid.DECAP_BRIEF in drawn["bulk-floor"]
    assert figures([]) == {}
