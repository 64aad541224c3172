"""The `vxlanpkt` command: its verbs, and what becomes of their errors.

Exit status: 0 done; 1 the input is broken, and what could be done was done; 2 the call is wrong;
130 interrupted, and what was read by then was done.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

import vxlanpkt
from vxlanpkt.cli.errors_said import SOURCE, in_words_of, printable
from vxlanpkt.cli.signals import Interrupted, handled_signals
from vxlanpkt.errors import CaptureError, FieldError

# By what they are called: the module of each, loaded when it is asked for; the command in it bears the same name.
_VERBS = {
    "info": "info",
    "show": "show",
    "explain": "explaining",
    "flows": "flow_listing",
    "vteps": "vtep_listing",
    "report": "reporting",
    "decap": "decapsulate",
    "encap": "encapsulate",
    "export": "exporting",
    "overlay": "overlay",
    "cni": "containers",
}


class _Verbs(click.Group):
    """A group that loads the verb that is called, and turns the library's errors into exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are met."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A verb, or None if there is none of that name."""
        if cmd_name not in _VERBS:
            return None
        name = _VERBS[cmd_name]
        verb: click.Command = getattr(import_module(f"vxlanpkt.cli.{name}"), name)
        return verb

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb."""
        try:
            with handled_signals():
                return super().invoke(ctx)
        except FieldError as error:
            raise click.UsageError(printable(self._said(ctx, error))) from error
        except CaptureError as error:
            source = ctx.meta.get(SOURCE, "input")
            where = "" if source is None else f"{source}: "  # where there are several, the error names its file
            click.echo(printable(f"vxlanpkt: {where}{self._said(ctx, error)}"), err=True)
            sys.exit(130 if isinstance(error.__cause__ or error, Interrupted) else 1)
        except BrokenPipeError:
            # Who read our output has seen enough; Python would complain again when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except OSError as error:
            click.echo(printable(f"vxlanpkt: {error.filename or 'I/O'}: {error.strerror or error}"), err=True)
            sys.exit(2)

    def _said(self, ctx: click.Context, error: Exception) -> str:
        """An error in the words of the verb."""
        verb = self.get_command(ctx, ctx.invoked_subcommand or "")
        return str(error) if verb is None else in_words_of(verb, str(error))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    vxlanpkt.__version__, message=f"vxlanpkt %(version)s, {vxlanpkt.backend} kernel, Python {sys.version.split()[0]}"
)
def app() -> None:
    """Look into VXLAN captures, take tunnels off, put packets into one; be a node of an overlay, attach containers."""
