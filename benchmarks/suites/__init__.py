"""Suites for pytest-benchmark (`bench_*.py`), and the table of kernels that they share with `benchmarks/asv/`."""
