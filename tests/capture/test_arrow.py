"""The Arrow C interfaces as a consumer in C sees them: who owns what, until when, and what an error says."""

from __future__ import annotations

import ctypes
import errno
import gc
import io
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import vxlanpkt
from vxlanpkt import CaptureError, kernel
from vxlanpkt.capture import arrow, arrow_exports, arrow_structures
from vxlanpkt.capture.arrow import ArrowTable
from vxlanpkt.capture.arrow_structures import ArrowBatch, ArrowColumn, ArrowField
from vxlanpkt.capture.frames import as_arrow, as_polars
from vxlanpkt.kernel import address_of

DATA = Path(__file__).parent.parent / "data"
CAPTURE = DATA / "tcp_segmented_v4.pcap"


class Array(ctypes.Structure):
    """ArrowArray, as the specification has it."""


Array._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(Array))), ("dictionary", ctypes.POINTER(Array)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)), ("private_data", ctypes.c_void_p),
]  # fmt: skip


class Schema(ctypes.Structure):
    """ArrowSchema."""


Schema._fields_ = [
    ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p), ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("children", ctypes.POINTER(ctypes.POINTER(Schema))),
    ("dictionary", ctypes.POINTER(Schema)), ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
    ("private_data", ctypes.c_void_p),
]  # fmt: skip


class Stream(ctypes.Structure):
    """ArrowArrayStream."""

    _fields_ = (
        ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("private_data", ctypes.c_void_p),
    )


def pointer_in(capsule: object, name: bytes) -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(get(capsule, name))


def moved(address: int, kind: Any) -> Any:
    """A structure taken elsewhere: copied, and marked as released where it was."""
    there = kind.from_address(address)
    here = kind.from_buffer_copy(there)
    there.release = type(there.release)()
    return here


def taken(table: Any) -> Any:
    """The stream out of a table's capsule."""
    return moved(pointer_in(table.__arrow_c_stream__(), b"arrow_array_stream"), Stream)


def next_of(stream: Any) -> Any:
    array = Array()
    assert stream.get_next(ctypes.addressof(stream), ctypes.addressof(array)) == 0
    return array


def release(structure: Any) -> None:
    """As consumers do: what is released already is let be."""
    if structure.release:
        structure.release(ctypes.addressof(structure))
    assert not structure.release


def settle() -> None:
    """Let everything that was released go."""
    gc.collect()
    arrow_exports.sweep()


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    """Each test lets go of all that it took: nothing is kept for it then, but the errors of streams that ended."""
    settle()
    before = len(arrow_exports._kept) - len(arrow_exports._ended)
    yield
    settle()
    assert len(arrow_exports._kept) - len(arrow_exports._ended) == before
    assert not arrow_exports._capsules


def numbers(*values: int) -> ArrowBatch:
    """A batch of one column."""
    buffer = bytearray(b"".join(value.to_bytes(4, sys.byteorder) for value in values))
    return ArrowBatch(len(values), [ArrowColumn(len(values), 0, (0, address_of(buffer)))], buffer)


def words() -> ArrowBatch:
    """A batch of a column with a dictionary."""
    codes, text = bytearray((0, 1, 0)), bytearray(b"onetwo")
    offsets = bytearray(b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 3, 6)))
    values = ArrowColumn(2, 0, (0, address_of(offsets), address_of(text)))
    return ArrowBatch(3, [ArrowColumn(3, 0, (0, address_of(codes)), values)], (codes, offsets, text))


NUMBERS, WORDS = [ArrowField("n", "I")], [ArrowField("w", "C", "u")]


def items(array: Any) -> list[int]:
    """The values of an array of 32 bits."""
    return list((ctypes.c_uint32 * array.length).from_address(array.buffers[1]))


# -- what is in the structures


def test_schema() -> None:
    """Names, formats, flags and dictionaries; every structure has a release of its own."""
    schema = moved(pointer_in(ArrowTable([*NUMBERS, *WORDS], []).__arrow_c_schema__(), b"arrow_schema"), Schema)
    assert (schema.format, schema.n_children, schema.flags) == (b"+s", 2, 0)
    children = [schema.children[at].contents for at in range(2)]
    assert [(child.name, child.format, child.flags) for child in children] == [(b"n", b"I", 2), (b"w", b"C", 2)]
    assert not children[0].dictionary
    assert children[1].dictionary.contents.format == b"u"
    release(schema)


def test_arrays() -> None:
    """Rows, buffers and dictionaries; then an array that is released says that this was all."""
    batches = [words(), words()]
    stream = taken(ArrowTable(WORDS, batches))
    for _ in batches:
        array = next_of(stream)
        assert (array.length, array.null_count, array.offset, array.n_buffers, array.n_children) == (3, 0, 0, 1, 1)
        assert not array.buffers[0]
        child = array.children[0].contents
        assert (child.length, child.n_buffers, bool(child.buffers[0])) == (3, 2, False)
        assert ctypes.string_at(child.buffers[1], 3) == b"\0\1\0"
        dictionary = child.dictionary.contents
        assert (dictionary.length, dictionary.n_buffers) == (2, 3)
        assert ctypes.string_at(dictionary.buffers[2], 6) == b"onetwo"
        release(array)
    assert not next_of(stream).release
    assert not next_of(stream).release
    release(stream)


def test_no_columns_and_no_rows() -> None:
    """A schema without columns, a batch without rows."""
    stream = taken(ArrowTable([], [ArrowBatch(7, [], None)]))
    array = next_of(stream)
    assert (array.length, array.n_children) == (7, 0)
    release(array)
    release(stream)
    assert pa.table(ArrowTable(NUMBERS, [numbers()])).num_rows == 0


# -- who owns what, until when


@pytest.mark.parametrize("order", ["array first", "stream first"])
def test_an_array_outlives_its_stream(order: str) -> None:
    """And a stream its arrays."""
    stream = taken(ArrowTable(NUMBERS, [numbers(1, 2), numbers(3)]))
    array = next_of(stream)
    for structure in (array, stream) if order == "array first" else (stream, array):
        if structure is array:
            assert items(array.children[0].contents) == [1, 2]
        release(structure)
        settle()


def test_a_child_outlives_its_parent() -> None:
    """One that was taken elsewhere is still whole when the parent is released, with its dictionary."""
    stream = taken(ArrowTable(WORDS, [words()]))
    array = next_of(stream)
    release(stream)
    child = moved(ctypes.addressof(array.children[0].contents), Array)
    release(array)
    settle()
    assert ctypes.string_at(child.buffers[1], 3) == b"\0\1\0"
    dictionary = moved(ctypes.addressof(child.dictionary.contents), Array)
    release(child)
    settle()
    assert ctypes.string_at(dictionary.buffers[2], 6) == b"onetwo"
    release(dictionary)


def test_memory_is_kept_as_long_as_it_is_held() -> None:
    """What a batch keeps dies with the last structure, and not before."""

    class Kept:
        pass

    alive = [True]

    def batches() -> Iterator[ArrowBatch]:
        whole, kept = numbers(5), Kept()
        weakref.finalize(kept, alive.clear)
        yield whole._replace(kept=(whole.kept, kept))

    stream = taken(ArrowTable(NUMBERS, batches))
    array = next_of(stream)
    release(stream)
    settle()
    assert alive
    release(array)
    settle()
    assert not alive


def test_a_stream_that_is_given_up_closes_its_file() -> None:
    """Half-way, by its release."""
    closed = []

    def batches() -> Iterator[ArrowBatch]:
        try:
            yield numbers(1)
            yield numbers(2)
        finally:
            closed.append(True)

    stream = taken(ArrowTable(NUMBERS, batches))
    release(next_of(stream))
    assert not closed
    release(stream)
    settle()
    assert closed


def test_readers_dropped_half_way() -> None:
    """pyarrow's reader, after one batch or none: no file stays open."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("no /proc")
    before = len(list(folder.iterdir()))
    for batches in (0, 1):
        with vxlanpkt.open(CAPTURE) as capture:
            reader = pa.RecordBatchReader.from_stream(capture)
            for _ in range(batches):
                reader.read_next_batch()
            del reader
    settle()
    assert len(list(folder.iterdir())) == before


def test_capsules_that_nobody_takes_from() -> None:
    """They have opened nothing, and are let go of."""
    capture = vxlanpkt.open(CAPTURE)
    capsules = [capture.__arrow_c_stream__() for _ in range(3)] + [capture.__arrow_c_schema__()]
    assert len(arrow_exports._capsules) == 4
    assert capture.container is None
    del capsules[1]
    settle()
    assert len(arrow_exports._capsules) == 3
    del capsules


def test_a_capsule_that_is_read_in_place() -> None:
    """A consumer may use the structure where it is; what is left of it goes with the capsule."""
    capsule = ArrowTable(NUMBERS, [numbers(1), numbers(2)]).__arrow_c_stream__()
    stream = Stream.from_address(pointer_in(capsule, b"arrow_array_stream"))
    array = next_of(stream)
    assert items(array.children[0].contents) == [1]
    release(array)
    del capsule


def test_tables_live_on() -> None:
    """Without the capture and the file."""
    table = vxlanpkt.open(io.BytesIO(CAPTURE.read_bytes())).to_arrow()
    frame = pl.DataFrame(vxlanpkt.open(CAPTURE))
    settle()
    slices = [table.slice(at, 3) for at in range(0, table.num_rows, 50)]
    column = table["inner_src"]
    expected = table.to_pylist()
    del table
    settle()
    assert [row for piece in slices for row in piece.to_pylist()] == [
        row for at in range(0, len(expected), 50) for row in expected[at : at + 3]
    ]
    del slices
    settle()
    assert column.to_pylist() == [row["inner_src"] for row in expected] == frame["inner_src"].to_list()


def test_released_in_other_threads() -> None:
    """Several at once, and none of them the thread that made it."""
    before = len(arrow_exports._kept) - len(arrow_exports._ended)
    for _ in range(20):
        tables = [vxlanpkt.open(CAPTURE).to_arrow() for _ in range(4)]
        threads = [threading.Thread(target=tables.pop) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not tables
        settle()
        assert len(arrow_exports._kept) - len(arrow_exports._ended) == before


def test_released_while_it_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the last look of whoever is at it: the one who asks then is not needed, and not forgotten either."""
    array = next_of(stream := taken(ArrowTable(NUMBERS, [numbers(1)])))
    release(stream)
    settle()
    kept, take = len(arrow_exports._kept), kernel.take_released

    def taken_and_more(releases: int) -> Iterator[int]:
        found = list(take(releases))
        if not found and array.release:
            release(array)
            arrow_exports.sweep()
        return iter(found)

    monkeypatch.setattr(arrow_exports, "take_released", taken_and_more)
    arrow_exports.sweep()
    assert len(arrow_exports._kept) == kept - 1


def test_duckdb_on_its_threads() -> None:
    """DuckDB reads from threads of its own, without Python's lock."""
    capture = vxlanpkt.open(CAPTURE)
    connection = duckdb.connect()
    connection.execute("set threads to 4")
    for _ in range(10):
        found: Any = connection.sql("select count(*), count(distinct inner_src_port) from capture")
        ((count, _ports),) = found.fetchall()
        assert count == capture.stats.records
    del found
    connection.close()


@pytest.mark.filterwarnings(
    "error" if vxlanpkt.backend == "c" else "ignore::pytest.PytestUnraisableExceptionWarning"
)  # fmt: skip
def test_while_an_exception_is_under_way() -> None:
    """A consumer that dies of an exception releases what it holds then: the exception is still that one.

    Where there is no kernel in C it is reported as one that cannot be handed on, and nothing worse happens.
    """
    capture = vxlanpkt.open(CAPTURE)
    uses: list[Callable[[], Any]] = [
        lambda: int(capture.__arrow_c_stream__()),  # type: ignore[call-overload]
        lambda: int(pa.RecordBatchReader.from_stream(capture)),
        lambda: int(pa.table(capture)),
        lambda: int(pl.DataFrame(capture)),  # type: ignore[call-overload]
    ]
    for use in uses:
        with pytest.raises(TypeError if vxlanpkt.backend == "c" else (TypeError, SystemError)):
            use()


@pytest.mark.parametrize("held", ["capture.__arrow_c_stream__()", "pa.RecordBatchReader.from_stream(capture)",
                                  "pa.table(capture)", "pl.DataFrame(capture)", "next(half)"])  # fmt: skip
def test_the_interpreter_ends(held: str) -> None:
    """While somebody still holds something."""
    program = (
        "import duckdb, polars as pl, pyarrow as pa, vxlanpkt\n"
        f"capture = vxlanpkt.open({str(CAPTURE)!r})\n"
        "half = pa.RecordBatchReader.from_stream(capture)\n"
        f"class Holder: pass\nHolder.held = {held}\n"
        "duckdb.register('kept', pa.RecordBatchReader.from_stream(capture))\n"
        "Holder.itself = Holder\n"
    )
    folder = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# -- errors


FAULTS = {
    "CaptureError": (CaptureError("the record at byte 7 is cut", offset=7), errno.EIO),
    "OSError": (OSError(errno.ESTALE, "stale"), errno.ESTALE),
    "MemoryError": (MemoryError(), errno.ENOMEM),
    "KeyboardInterrupt": (KeyboardInterrupt(), errno.EINTR),
    "ValueError": (ValueError("größer"), errno.EINVAL),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name: str) -> None:
    """After the batches before it: an error number, and the exception's text; again when asked again."""
    fault, number = FAULTS[name]

    def batches() -> Iterator[ArrowBatch]:
        yield numbers(1)
        raise fault

    stream = taken(ArrowTable(NUMBERS, batches))
    release(next_of(stream))
    array = Array()
    for _ in range(2):
        assert stream.get_next(ctypes.addressof(stream), ctypes.addressof(array)) == number
        assert stream.get_last_error(ctypes.addressof(stream)).decode() == (str(fault) or name)
    assert not array.release
    release(stream)


class Interrupted(BaseException):
    """What a signal handler raises."""


def interrupted(whole: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """The function with an exception behind its first call, or for `_answer`, which has an answer then, before that."""
    errors = [error]

    def call(*arguments: Any) -> Any:
        done = None if errors and whole.__name__ == "_answer" else whole(*arguments)
        if errors:
            raise errors.pop()
        return done

    return call


# Each is called on the way of a call, before its work, in the middle, and when it is done but for the answer.
@pytest.mark.parametrize(
    ("module", "step"),
    [(arrow, "sweep"), (arrow, "_stream_at"), (arrow, "put_array"), (arrow_structures, "write")],
    ids=["sweep", "stream_at", "put_array", "write"],
)
def test_interrupted_anywhere(module: ModuleType, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception between any two steps of a call: an error number, and nothing where the batch was to be."""
    stream = taken(ArrowTable(NUMBERS, [numbers(1), numbers(2)]))
    array = Array(length=77, release=Array._fields_[8][1](lambda _: None))
    with monkeypatch.context() as patched:
        patched.setattr(module, step, interrupted(getattr(module, step), Interrupted()))
        assert stream.get_next(ctypes.addressof(stream), ctypes.addressof(array)) == errno.EINVAL
    assert not array.release
    release(stream)


@pytest.mark.parametrize("step", ["_stream_at", "put_schema"])
def test_interrupted_while_a_schema_is_made(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of a schema."""
    stream = taken(ArrowTable(WORDS, [words()]))
    schema = Schema(release=Schema._fields_[7][1](lambda _: None))
    with monkeypatch.context() as patched:
        patched.setattr(arrow, step, interrupted(getattr(arrow, step), KeyboardInterrupt()))
        assert stream.get_schema(ctypes.addressof(stream), ctypes.addressof(schema)) == errno.EINTR
    assert not schema.release
    release(stream)


@pytest.mark.parametrize("step", ["_answer", "_stream_at", "put_array"])
@pytest.mark.parametrize("convert", [as_arrow, as_polars])
def test_interrupted_while_it_is_converted(
    convert: Callable[[ArrowTable], Any], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever converts a table here gets the exception itself, in place of the consumer's error about it."""
    whole = getattr(arrow, step)
    for error in (KeyboardInterrupt(), CaptureError("cut", offset=1), Interrupted()):
        monkeypatch.setattr(arrow, step, interrupted(whole, error))
        with pytest.raises(type(error)) as caught:
            convert(ArrowTable(NUMBERS, [numbers(1)]))
        assert caught.value is error
    assert arrow_exports.watch.errors is None


def test_other_errors_of_consumers() -> None:
    """They are their own."""
    with pytest.raises(TypeError):
        arrow.made_of(ArrowTable(NUMBERS, []), len)  # type: ignore[arg-type]


def test_no_error_yet() -> None:
    """There is no text then."""
    stream = taken(ArrowTable(NUMBERS, [numbers(1)]))
    assert stream.get_last_error(ctypes.addressof(stream)) is None
    release(stream)


def test_a_schema_asked_for() -> None:
    """The table's own is handed out whatever is asked for, as the interface allows."""
    capture = vxlanpkt.open(CAPTURE)
    wanted = pa.schema([("vni", pa.int64())])
    reader = pa.RecordBatchReader.from_stream(capture, schema=capture.to_arrow().schema)
    assert reader.schema == capture.to_arrow().schema
    capsule = capture.__arrow_c_stream__(wanted.__arrow_c_schema__())
    stream = moved(pointer_in(capsule, b"arrow_array_stream"), Stream)
    schema = Schema()
    assert stream.get_schema(ctypes.addressof(stream), ctypes.addressof(schema)) == 0
    assert schema.n_children == len(vxlanpkt.capture.COLUMNS)
    release(schema)
    release(stream)
    del reader


def test_memory_of_a_stream_is_bounded() -> None:
    """Batches that were released are let go of while the stream goes on."""

    def batches() -> Iterator[ArrowBatch]:
        for _ in range(50):
            yield numbers(*range(100))
            assert len(arrow_exports._kept) - before <= 3

    before = len(arrow_exports._kept)
    stream = taken(ArrowTable(NUMBERS, batches))
    while (array := next_of(stream)).release:
        release(array)
    release(stream)
