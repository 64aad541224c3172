"""Bulk work beside what moving the same bytes costs in C: `python -m benchmarks.bulk`."""
