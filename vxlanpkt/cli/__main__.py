"""`python -m vxlanpkt.cli` is the `vxlanpkt` command."""

from vxlanpkt.cli import main

main()
