"""The command line: `main` is what the `vxlanpkt` script calls; one module a verb."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without its libraries, say which extra brings them."""
    try:
        from vxlanpkt.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"vxlanpkt: the command line needs {error.name}: pip install 'vxlanpkt[cli]'")
    app(prog_name="vxlanpkt")
