"""Whole captures: this library beside C, Python loops and the tools at hand: `python -m benchmarks.capture`."""
