"""Searches for bytes that the library does not survive, or that its kernels disagree on.

pip install atheris
python -m tests.fuzz.fuzz_python DIR      where DIR is made by `python -m tests.fuzz.corpus unpack DIR`
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["vxlanpkt"]):
    from vxlanpkt.kernel import c, python

    from .agreement import results
    from .survival import check


def check_all(data: bytes) -> None:
    """Both kernels, and the library on the one it runs on."""
    assert results(c, data) == results(python, data)
    check(data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check_all)
    atheris.Fuzz()
