"""Made-up results of benchmarks.compare, for the tests of what reads them."""

MADE = {
    "when": "2030-01-02T03:04:05+00:00",
    "commit": "0123abc",
    "machine": {"cpu": "A CPU", "cores": 2, "memory_gb": 15.6, "os": "An OS"},
    "versions": {"fastmlp": "0.1.0", "numpy": "2.0.0"},
    "command": "python -m benchmarks.compare --threads 1 2",
}
STARTUP = [
    {
        "what": "empty cache",
        "seconds": 2.9,
        "parts": {"python": 0.05, "import": 0.3, "load_kernels": 2.4, "train": 0.05},
    },
    {
        "what": "warm cache",
        "seconds": 0.32,
        "parts": {"python": 0.05, "import": 0.2, "load_kernels": 0.01, "train": 0.06},
    },
]


def row(workload, contestant, us, dtype="float64", threads=1, **more):
    return {
        "workload": workload,
        "dtype": dtype,
        "threads": threads,
        "contestant": contestant,
        "us_step": us,
        "low": 0.98 * us,
        "high": 1.03 * us,
        "turns": 11,
        "prepare_s": 0.5,
        "loss": 0.1,
        "loss_ok": True,
        "share_of_peak": 0.6,
        "note": "",
        **more,
    }


def result(rows=None, **more):
    """Two dtypes, one core and two; of what is not in the series, wide is lost, and letter on two cores."""
    if rows is None:
        rows = []
        for dtype, scale in (("float64", 1.0), ("float32", 0.5)):
            for threads in (1, 2):
                for name, ours, numpy, jax in [
                    ("xor", 10.0, 200.0, 50.0),
                    ("letter", 80.0, 320.0, 120.0 / threads),
                    ("wide", 1000.0, 500.0, 800.0),
                    *((f"xor-{n}", 0.1 + n / 200, 15 + n / 9, 6 + n / 40) for n in (4, 2000, 2_000_000)),
                ]:
                    where = {"dtype": dtype, "threads": threads}
                    rows.append(row(name, "fastmlp", scale * ours, **where))
                    rows.append(row(name, "numpy", scale * numpy, share_of_peak=0.6 * ours / numpy, **where))
                    rows.append(row(name, "jax", scale * jax, share_of_peak=0.6 * ours / jax, **where))
    return {
        "format": 1,
        "made": MADE,
        "peak_gflops": {"float64": {"1": 100.0, "2": 198.0}, "float32": {"1": 200.0, "2": 396.0}},
        "rows": rows,
        "missing": [{"contestant": "torch_eager", "workload": None, "why": "torch is not installed"}],
        "startup": STARTUP,
        **more,
    }
