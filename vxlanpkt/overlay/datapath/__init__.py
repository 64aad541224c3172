"""Devices and packet loops in user space; the loops themselves are C, in _datapath.c and csrc."""
