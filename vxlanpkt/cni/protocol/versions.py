"""The versions of CNI, what came with which, and the answer to VERSION.

A plugin that is asked for its versions loads this module and nothing else: no `json`, which costs more than the rest.
"""

from __future__ import annotations

VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")  # in their order
NEWEST = VERSIONS[-1]
COMMANDS = ("ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION")
_SINCE = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}


def first_version(command: str) -> str:
    """The first of the versions that has a command."""
    return _SINCE.get(command, VERSIONS[0])


def has_command(version: str, command: str) -> bool:
    """Whether a version of CNI has a command."""
    return at_least(version, first_version(command))


def at_least(version: str, other: str) -> bool:
    """Whether a version is *other* or a later one; both have to be among `VERSIONS`."""
    return VERSIONS.index(version) >= VERSIONS.index(other)


def newest_common(offered: tuple[str, ...]) -> str | None:
    """The newest of the versions that are offered and known here, or None."""
    return next((version for version in reversed(VERSIONS) if version in offered), None)


def version_reply(asked: str) -> str:
    """The answer to VERSION, as JSON; *asked* is the version that the caller speaks."""
    supported = ", ".join(f'"{version}"' for version in VERSIONS)
    return f'{{"cniVersion": "{asked}", "supportedVersions": [{supported}]}}'


def plainly_asked(stdin: bytes) -> str | None:
    """The version that a VERSION call was made in, where its input is what libcni sends, or nothing at all."""
    text = b"".join(stdin.split())
    if not text:
        return NEWEST
    return next((version for version in VERSIONS if text == b'{"cniVersion":"%s"}' % version.encode()), None)
