"""`vxlanpkt overlay`: an agent of an overlay on this node: its verbs, and what becomes of their errors.

A verb is loaded when it is called: agents are of Linux alone, and need an extra.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from vxlanpkt.cli.errors_said import in_words_of, printable
from vxlanpkt.errors import CaptureError, FieldError, PacketError

_VERBS = {
    "up": "vxlanpkt.cli.overlay.up",
    "status": "vxlanpkt.cli.overlay.status",
    "down": "vxlanpkt.cli.overlay.down",
}
_EXTRA = ("pyroute2", "prometheus_client")
_OF_LINUX = ("fcntl",)


class _Verbs(click.Group):
    """A group whose verbs are modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb."""
        if cmd_name not in _VERBS:
            return None
        with _Said():
            command: click.Command = getattr(import_module(_VERBS[cmd_name]), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; what it raises is said, and the exit status is 1."""
        try:
            with _Said():
                return super().invoke(ctx)
        except FieldError as error:
            verb = self.get_command(ctx, ctx.invoked_subcommand or "")
            raise click.UsageError(str(error) if verb is None else in_words_of(verb, str(error))) from error


class _Said:
    """Turns what is raised within it into a message and an exit status."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (FieldError, CaptureError, BrokenPipeError)):
            return
        if isinstance(error, ImportError):
            _say_what_is_missing(error)
        elif isinstance(error, PacketError):
            sys.exit(printable(f"vxlanpkt: {error}"))
        elif isinstance(error, OSError):
            sys.exit(printable(f"vxlanpkt: {_of_system(error)}"))


def _say_what_is_missing(error: ImportError) -> None:
    missing = (error.name or "").partition(".")[0]
    if missing in _OF_LINUX:
        sys.exit("vxlanpkt: agents of an overlay run on Linux alone")
    if missing in _EXTRA:
        sys.exit(f"vxlanpkt: this needs {missing}: pip install 'vxlanpkt[overlay]'")


def _of_system(error: OSError) -> str:
    """What the system says, of which file, and what helps."""
    named = f"{error.filename}: " if error.filename else ""
    root = "; run it as root" if isinstance(error, PermissionError) else ""
    return f"{named}{error.strerror or error}{root}"


@click.group(cls=_Verbs)
def overlay() -> None:
    """Be a node of an overlay: take a subnet, and carry packets to the other nodes', as flannel does."""
