"""`python -m vxlanpkt.cli` is `vxlanpkt`."""

from vxlanpkt.cli import main

main()
