"""What a reader of Spark may be told in options, which are all texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from vxlanpkt.capture.reader import FILE_POLICY
from vxlanpkt.capture.tables import Addresses
from vxlanpkt.errors import refused_argument
from vxlanpkt.policy import DecapPolicy
from vxlanpkt.selection import RowFilter
from vxlanpkt.spark.schemas import TABLES

_refused = partial(refused_argument, "spark")

PARTITION_BYTES = {"records": 1 << 27, "flows": 1 << 28, "vteps": 1 << 28}
"""Bytes of captures that a task reads for a table, if nothing else is said: for records as many as in Spark's own
sources, for counts more, as nearly nothing of them travels to the JVM."""

_MODES, _ADDRESSES = ("FAILFAST", "PERMISSIVE"), ("text", "binary")
_KNOWN = (
    "path", "paths", "table", "ports", "vni", "filter", "policy", "columns", "addresses", "mode", "numPartitions",
    "splitBytes", "packBytes", "pushdown",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """The options, as values.

    paths        files, patterns, directories
    table        of what: one of `TABLES`
    policy       what is accepted
    vni          only packets of these, if it is not None
    filter       only packets that it chooses
    columns      which ones are wanted; None: all
    addresses    as text or in bytes
    mode         what becomes of a broken file
    partitions   how many tasks there are to be, if that was said
    split_bytes  files longer than that are read in parts; 0: none
    pack_bytes   small files are read together up to that
    pushdown     whether Spark may hand conditions over
    """

    paths: tuple[str, ...]
    table: str
    policy: DecapPolicy
    vni: tuple[int, ...] | None
    filter: RowFilter | None
    columns: tuple[str, ...] | None
    addresses: Addresses
    mode: Literal["FAILFAST", "PERMISSIVE"]
    partitions: int | None
    split_bytes: int
    pack_bytes: int
    pushdown: bool


def read_options(given: Mapping[str, str]) -> Options:
    """The options that Spark hands over. Raises FieldError for one that is not known, or not as it has to be."""
    options = {name.lower(): text for name, text in given.items()}
    known = {name.lower(): name for name in _KNOWN}
    for name in options:
        if name not in known:
            raise _refused(name, options[name], f"known: the options are {', '.join(_KNOWN)}")
    table = _one_of("table", options.get("table", "records").lower(), TABLES)
    mode = _one_of("mode", options.get("mode", "FAILFAST").upper(), _MODES)
    addresses = _one_of("addresses", options.get("addresses", "text").lower(), _ADDRESSES)
    each = PARTITION_BYTES[table]
    return Options(
        _paths(options), table, _policy(options), _numbers("vni", options["vni"]) if "vni" in options else None,
        _filter(options.get("filter")), _words(options["columns"]) if "columns" in options else None,
        "binary" if addresses == "binary" else "text", "FAILFAST" if mode == "FAILFAST" else "PERMISSIVE",
        _number("numPartitions", options["numpartitions"], 1) if "numpartitions" in options else None,
        _number("splitBytes", options.get("splitbytes", str(each)), 0),
        _number("packBytes", options.get("packbytes", str(each)), 1),
        options.get("pushdown", "false").lower() == "true",
    )  # fmt: skip


def _one_of(name: str, word: str, known: Sequence[str]) -> str:
    if word not in known:
        raise _refused(name, word, f"one of {', '.join(known)}")
    return word


def _filter(text: str | None) -> RowFilter | None:
    if text is None:
        return None
    from vxlanpkt.filters import Filter  # which takes a while to load, in each process

    return Filter(text)


def _paths(options: Mapping[str, str]) -> tuple[str, ...]:
    """What `load` was given: one path, or a list of them as JSON."""
    paths = tuple(json.loads(options["paths"])) if "paths" in options else ()
    paths += (options["path"],) if "path" in options else ()
    if not paths:
        raise _refused("path", None, "given: load(PATH) names files, a pattern or a directory")
    return paths


def _policy(options: Mapping[str, str]) -> DecapPolicy:
    presets = DecapPolicy.presets()
    policy = FILE_POLICY
    if "policy" in options:
        name = options["policy"].lower().replace("_", "-")
        if name not in presets:
            raise _refused("policy", options["policy"], f"one of {', '.join(presets)}")
        policy = presets[name].replace(lengths="snapped")
    return policy.replace(ports=_numbers("ports", options["ports"])) if "ports" in options else policy


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word, 0) for word in _words(text))
    except ValueError:
        raise _refused(name, text, "a list of numbers with commas between them") from None


def _number(name: str, text: str, least: int) -> int:
    if not text.strip().isdigit() or int(text) < least:
        raise _refused(name, text, f"a number, at least {least}")
    return int(text)
