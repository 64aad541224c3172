"""Two nodes of an overlay that run containers: flannel's backend programmed, or the library's packet loops, between
them; subnet.env, plugins and a network on each."""

from __future__ import annotations
