"""Tests against the Linux kernel's own vxlan device, in network namespaces that the tests make."""
