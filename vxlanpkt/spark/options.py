"""What a reader of Spark may be told in options, which are all texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vxlanpkt.capture.reader import FILE_POLICY
from vxlanpkt.errors import FieldError
from vxlanpkt.filters import Filter
from vxlanpkt.policy import DecapPolicy

PARTITION_BYTES = 1 << 26
"""Bytes of captures that a task reads, if nothing else is said."""

_MODES = ("FAILFAST", "PERMISSIVE")
_KNOWN = (
    "path", "paths", "ports", "vni", "filter", "policy", "columns", "addresses", "mode", "splitBytes", "packBytes",
    "pushdown",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """The options, as values.

    paths        files, patterns, directories
    policy       what is accepted
    table        what `Capture.table` is told: vni, filter, addresses
    columns      which ones are wanted; None: all
    mode         what becomes of a broken file
    split_bytes  files longer than that are read in parts; 0: none
    pack_bytes   small files are read together up to that
    pushdown     whether Spark may hand conditions over
    """

    paths: tuple[str, ...]
    policy: DecapPolicy
    table: Mapping[str, Any]
    columns: tuple[str, ...] | None
    mode: Literal["FAILFAST", "PERMISSIVE"]
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
    mode = options.get("mode", "FAILFAST").upper()
    if mode not in _MODES:
        raise _refused("mode", options["mode"], f"one of {', '.join(_MODES)}")
    table: dict[str, Any] = {"addresses": options.get("addresses", "text")}
    if "vni" in options:
        table["vni"] = _numbers("vni", options["vni"])
    if "filter" in options:
        table["filter"] = Filter(options["filter"])
    return Options(
        _paths(options), _policy(options), table, _words(options["columns"]) if "columns" in options else None,
        "FAILFAST" if mode == "FAILFAST" else "PERMISSIVE",
        _bytes("splitBytes", options.get("splitbytes"), 0), _bytes("packBytes", options.get("packbytes"), 1),
        options.get("pushdown", "false").lower() == "true",
    )  # fmt: skip


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


def _bytes(name: str, text: str | None, least: int) -> int:
    if text is None:
        return PARTITION_BYTES
    if not text.strip().isdigit() or int(text) < least:
        raise _refused(name, text, f"a number of bytes, at least {least}")
    return int(text)


def _refused(field: str, value: object, expected: str) -> FieldError:
    return FieldError(f"{field}: {value!r} is not {expected}", layer="spark", field=field, value=value, bits=None)
