"""What kernels hold lives as long as it is needed, and then goes, in whatever order it is collected."""

from __future__ import annotations

import gc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent

import pytest

from vxlanpkt import FrameBatch, Tunnel
from vxlanpkt.kernel import python
from vxlanpkt.kernel.contract.spans import Kind, Walk, place_at

pytest.importorskip("vxlanpkt._fastlib", reason="this build has no C kernel")
from vxlanpkt.kernel import c


def test_a_cycle_of_garbage() -> None:
    """A batch in a cycle is collected, though its view comes before it; in a process of its own, which may die."""
    script = """
        import gc
        from vxlanpkt import FrameBatch, decap_batch

        class Loop:
            pass

        def make(seen):
            batch = FrameBatch.from_frames([bytes(64)])
            decap_batch(batch)
            seen.append(batch.data)
            loop = Loop()
            loop.batch, loop.itself = batch, loop
            return loop

        gc.disable()
        seen = []
        loop = make(seen)
        gc.collect()  # which puts what is seen in front of the batch
        seen.clear()
        del loop
        gc.collect()
        print("alive")
    """
    done = subprocess.run([sys.executable, "-c", dedent(script)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


@pytest.mark.parametrize("kernel", [python, c], ids=["python", "c"])
def test_what_is_held_stays(kernel: object) -> None:
    """A buffer whose frames are held cannot be resized, and the views of others may go."""
    data = bytearray(100)
    view = memoryview(data)
    batch = FrameBatch(view, [0], [100])
    held = kernel.hold_frames(batch.data, batch.offsets, batch.lengths, None)  # type: ignore[attr-defined]
    view.release()
    del batch, view
    gc.collect()
    with pytest.raises(BufferError):
        data.append(0)
    del held
    if sys.implementation.name == "pypy":  # which lets go when it collects
        gc.collect()
    data.append(0)


def test_one_tunnel_in_many_threads() -> None:
    """Each call writes its header where no other does, and leaves the room behind: never more of it than threads."""
    recipe = Tunnel(7, "192.0.2.1", "192.0.2.2")._recipe
    held, specified = c.hold_recipe(recipe), python.hold_recipe(recipe)
    frames = [bytes([length % 256]) * length for length in range(1000, 1200)]

    def encap(number: int) -> list[object]:
        return [c.encap_one(frame, held, number) for frame in frames]

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(encap, range(40)))
    assert made == [[python.encap_one(frame, specified, number) for frame in frames] for number in range(40)]
    assert 1 <= len(held.idle) <= 4


def test_one_table_of_ports_in_many_threads() -> None:
    """What walks find is told apart likewise: those that end, those that meet a fault, and those of many parts."""
    tunnel = Tunnel(7, "192.0.2.1", "192.0.2.2")
    frames = [tunnel.encap(bytes(60))]
    while len(frames) < 12:
        frames.append(tunnel.encap(frames[-1]))
    frames += [frame[:-1] for frame in frames]
    held, specified = c.hold_ports({4789: Kind.VXLAN}), python.hold_ports({4789: Kind.VXLAN})

    def walk(tunnels: int) -> list[object]:
        return [written_out(c.walk(frame, 0, Kind.ETHERNET, held, tunnels)) for frame in frames]

    with ThreadPoolExecutor(4) as pool:
        walked = list(pool.map(walk, range(40)))
    assert walked == [
        [written_out(python.walk(frame, 0, Kind.ETHERNET, specified, tunnels)) for frame in frames]
        for tunnels in range(40)
    ]
    assert 1 <= len(held.idle) <= 4


def written_out(walk: Walk) -> tuple[object, ...]:
    """A walk with every place."""
    kinds, places, last, fault = walk
    return kinds, [place_at(places, index) for index in range(len(kinds))], last, fault
