"""Encapsulation and decapsulation of batches: check once, allocate once, call the kernel."""
