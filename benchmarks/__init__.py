"""Benchmarks: this library beside its peers, on the same frames, in the same run."""
