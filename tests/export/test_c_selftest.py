"""The self-test of exported C and the comparison with Model, on sources with planted faults: each must be seen.

Also what a compiler is refused for: options that change the arithmetic.
"""

import re
import subprocess
from platform import machine

import numpy as np
import pytest
from c_programs import COMPILERS, Program, compare, compiled, ways

from fastmlp import Model
from fastmlp.export import c_selftest
from fastmlp.reference.arithmetic import fma
from fastmlp.spec import DTYPES

pytestmark = pytest.mark.skipif("gcc" not in COMPILERS, reason="there is no gcc here: exported C is not compiled")
X86 = machine() == "x86_64"
FMA = ("-mfma",) if X86 else ()


def model_of(dtype="float64"):
    model = Model([4, 9, 6, 3], hidden=["softplus", "gelu"], seed=2, dtype=dtype)
    model.set_weights([(w, np.linspace(-0.3, 0.4, len(b))) for w, b in model.weights])
    return model


def next_number(text):
    """The source with the last bit of the first weight's mantissa changed."""
    literal = re.search(r"PARAMETERS\[\d+\] = \{\n\s+(\S+),", text).group(1)
    value = float.fromhex(literal.rstrip("f"))
    other = np.nextafter(np.float32(value), np.float32(9)) if literal.endswith("f") else np.nextafter(value, 9)
    return text.replace(f" {literal},", f" {float(other).hex()}{'f' if literal.endswith('f') else ''},", 1)


def replaced(old, new):
    def change(text):
        assert old in text, old
        return text.replace(old, new)

    return change


HIDING = re.compile(r'    __asm__\("" : "\+[xw]"\(ab\)\);\n')
# name: (the change, what the self-test returns, whether rows show it, too)
FAULTS = {
    "a product that the compiler contracts": (lambda text: HIDING.sub("", text), 1, False),
    "fma in two roundings": (replaced("return __builtin_fma(a, b, c);", "return product(a, b) + c;"), 1, False),
    "one ulp of a weight": (next_number, 2, True),
    "another order of a sum": (
        replaced("for (k = 0; k < K; ++k, w += J)", "for (k = K, w += (K - 1) * J; k-- > 0; w -= J)"), 3, True,
    ),
    "a sum that begins as 0": (replaced("sum[u] = b[u];", "sum[u] = 0 * b[u];"), 3, True),
    "softmax from the other end": (
        replaced("factor = 1 / s;", "for (s = 0, j = 3; j-- > 0;) { s += y[j]; } factor = 1 / s;"), 3, True,
    ),
    "one ulp of a constant": (
        replaced("#define LN2_HI 0x1.62e42fefa39efp-1", "#define LN2_HI 0x1.62e42fefa39eep-1"), 3, True,
    ),
    "log1p in the other form": (replaced("f - (h - fused(s, tail, low))", "(f - h) + fused(s, tail, low)"), 3, True),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(tmp_path, fault):
    change, state, in_rows = FAULTS[fault]
    model = model_of()
    source, _ = model.to_c(tmp_path / "net.c")
    text = source.read_text()
    changed = change(text)
    assert changed != text
    source.write_text(changed)
    if fault == "a product that the compiler contracts" and machine() not in ("x86_64", "aarch64"):
        pytest.skip("this processor's product is hidden in another way")
    program = Program(source, model.spec, "-std=gnu99", "-O2", *FMA)
    assert program.selftest() == state
    if in_rows:
        x = np.random.default_rng(0).standard_normal((2000, 4)) * 2
        with pytest.raises(AssertionError, match="rows differ"):
            compare(program, ways(model), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_software_fma_with_a_fault_is_seen(tmp_path, dtype):
    model = model_of(dtype)
    source, _ = model.to_c(tmp_path / "net.c")
    text = source.read_text()
    faults = {
        "float32": [("(sum.bits & 1) == 0", "0")],
        "float64": [("& ~bits & 1 ?", "& 0 ?"), ("rest > 512 ||", "rest >= 512 ||"), ("|= cut != 0", "|= cut == 1")],
    }
    for old, new in [("", ""), *faults[dtype]]:
        assert old in text
        source.write_text(text.replace(old, new) if old else text)
        flags = ("-std=c99", "-O1", *(("-mno-fma",) if X86 else ()))
        assert Program(source, model.spec, *flags).selftest() == (1 if old else 0)


OPTIONS = [
    (["-ffast-math"], "-ffast-math"),
    (["-ffinite-math-only"], "-ffast-math"),
    (["-std=c89", "-Wno-pedantic", "-Wno-long-long"], "FLT_EVAL_METHOD"),
    *([(["-mfpmath=387"], "FLT_EVAL_METHOD")] if X86 else []),
]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(("options", "why"), OPTIONS)
def test_options_that_change_the_arithmetic_are_refused(tmp_path, compiler, options, why):
    if compiler == "clang" and options[0] in ("-mfpmath=387", "-std=c89"):
        pytest.skip("clang computes in SSE registers")
    source, _ = model_of().to_c(tmp_path / "net.c")
    command = [compiler, "-std=c99", *options, "-c", str(source), "-o", str(tmp_path / "net.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert why in done.stderr


@pytest.mark.parametrize("option", ["-fassociative-math -fno-signed-zeros -fno-trapping-math", "-fno-signed-zeros"])
def test_the_self_test_sees_what_no_macro_tells(tmp_path, option):
    """Newer compilers have macros for these options, and refuse."""
    source, _ = model_of().to_c(tmp_path / "net.c")
    command = ["gcc", "-std=c99", "-O2", *option.split(), "-c", str(source), "-o", str(tmp_path / "net.o")]
    refused = subprocess.run(command, capture_output=True, text=True).stderr
    if refused:
        assert "ffast-math" in refused
    else:
        assert Program(source, model_of().spec, *command[1:3], *option.split()).selftest() == 1


@pytest.mark.skipif(not X86, reason="only on x86 does linking with -ffast-math change the processor's mode")
def test_the_self_test_sees_flushed_numbers(tmp_path):
    source, _ = model_of().to_c(tmp_path / "net.c")
    assert Program(source, model_of().spec, "-std=c99", "-O2").selftest() == 0
    main = tmp_path / "net_main.c"
    objects = []
    for path in (source, main):
        objects.append(str(path.with_suffix(".o")))
        compiled(["gcc", "-std=c99", "-O2", "-c", str(path), "-o", objects[-1]])
    compiled(["gcc", "-ffast-math", *objects, "-o", str(tmp_path / "flushed")])
    assert subprocess.run([tmp_path / "flushed"]).returncode == 1


def test_the_self_test_sees_another_rounding(tmp_path):
    source, _ = model_of().to_c(tmp_path / "net.c")
    main = tmp_path / "main.c"
    main.write_text(
        '#include <fenv.h>\n#include "net.h"\nint main(void) { fesetround(FE_UPWARD); return net_selftest(); }\n'
    )
    compiled(["gcc", "-std=c99", "-O2", str(main), str(source), "-o", str(tmp_path / "main"), "-lm"])
    assert subprocess.run([tmp_path / "main"]).returncode == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_cases_of_fma_are_hard(dtype):
    """Many are other numbers where the product is rounded first, and none is NaN."""
    cases = list(c_selftest.fma_cases(dtype))
    with np.errstate(all="ignore"):
        assert sum(bool(a * b + c != r) for a, b, c, r in cases) >= 15
    assert all((fma(a, b, c) == r).all() for a, b, c, r in cases)
