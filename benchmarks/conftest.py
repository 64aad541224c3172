"""pytest: files `bench_*.py` hold benchmarks, `test_*.py` the tests that all contenders agree."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Have `bench_*` collected in this folder, and in no other."""
    config.addinivalue_line("python_files", "bench_*.py")
    config.addinivalue_line("python_functions", "bench_*")
