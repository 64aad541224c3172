"""The corpus: fuzz inputs, one a line in hexadecimal, in corpus.txt.

python -m tests.fuzz.corpus seeds DIR    write inputs made of tests/data, one a file, for a fuzzer to begin with
python -m tests.fuzz.corpus unpack DIR   write those of corpus.txt
python -m tests.fuzz.corpus pack DIR     make corpus.txt of a directory's files
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path

from .seeds import seeds

CORPUS = Path(__file__).with_name("corpus.txt")


def inputs() -> list[bytes]:
    """All inputs of the corpus, and the seeds: the corpus has one for each way through the kernel, not each bound."""
    return [*(bytes.fromhex(line) for line in CORPUS.read_text(encoding="ascii").splitlines()), *seeds()]


def as_lines(found: Iterable[bytes]) -> str:
    """Inputs as the text of a file."""
    return "".join(data.hex() + "\n" for data in found)


def pack(directory: Path) -> None:
    """Shortest first, so that a diff shows what was added."""
    found = sorted({path.read_bytes() for path in directory.iterdir()}, key=lambda data: (len(data), data))
    CORPUS.write_text(as_lines(found), encoding="ascii")


def write(directory: Path, made: Iterable[bytes]) -> None:
    """Each input as a file, named as libFuzzer names them."""
    directory.mkdir(parents=True, exist_ok=True)
    for data in made:
        (directory / sha1(data).hexdigest()).write_bytes(data)


def main(command: str, directory: str) -> None:
    """Do what a command line asks for."""
    if command == "pack":
        pack(Path(directory))
    elif command == "unpack":
        write(Path(directory), inputs())
    elif command == "seeds":
        write(Path(directory), seeds())
    else:
        raise SystemExit(f"{command}: it is one of seeds, unpack, pack")


if __name__ == "__main__":
    main(*sys.argv[1:])
