"""What the suites share: one core, one thread of BLAS, and --smoke."""

import os

import pytest

from .. import cores, fair

os.environ.update(cores.environment(1))  # NumPy's BLAS reads them when it is imported


def pytest_addoption(parser):
    parser.addoption("--smoke", action="store_true", help="each row once, tiny: whether it runs, not how fast")


def pytest_configure(config):
    if config.getoption("--smoke", False):
        config.option.benchmark_disable = True


def pytest_collect_file(file_path, parent):
    # The project's own test run takes test_*.py only, and this is no part of it.
    if file_path.name.startswith("bench_") and file_path.suffix == ".py":
        return pytest.Module.from_parent(parent, path=file_path)
    return None


@pytest.fixture
def smoke(request):
    """Whether this run only looks whether the rows run."""
    return request.config.getoption("--smoke", False)


@pytest.fixture(scope="session", autouse=True)
def one_core():
    """The process on one core while the suites run."""
    with cores.pinned(cores.chosen(1)):
        yield


def pytest_report_header(config):
    import numpy  # noqa: F401 - it loads the BLAS that is told

    import fastmlp

    return [f"measures fastmlp {fastmlp.__version__} in {fastmlp.__path__[0]}", fair.line()]
