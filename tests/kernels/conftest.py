"""No kernel may need Numba's whole compiler, which takes twice as long: with a cold cache, these tests compile most."""

import pytest

from fastmlp.jit import compilation


@pytest.fixture(autouse=True)
def no_kernel_needs_the_whole_compiler(monkeypatch):
    whole = compilation.compile_by_numba

    def asked_for(function, signature, **options):
        assert options, f"{function.__name__} needs Numba's whole compiler: docs/numba.md says what kernels may use"
        return whole(function, signature, **options)

    monkeypatch.setattr(compilation, "compile_by_numba", asked_for)
