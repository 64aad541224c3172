"""The peers: what else one would use in Python for VXLAN."""
