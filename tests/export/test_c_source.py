"""Networks as C against Model, bit by bit, and what the header promises: no library, no state, the stack, the code."""

import ctypes
import re
import shutil
import subprocess
from platform import machine

import numpy as np
import pytest
from c_programs import COMPILERS, TARGETS, WARNINGS, Program, compare, compiled, magnitudes, runs_here, ways
from models import said

from fastmlp import Model
from fastmlp.export import c_header, c_source
from fastmlp.spec import DTYPES, HIDDEN, LOSSES

needs_compiler = pytest.mark.skipif("gcc" not in COMPILERS, reason="there is no gcc here: exported C is not compiled")
GROUPS = tuple(HIDDEN[start : start + 3] for start in range(0, len(HIDDEN), 3))
FLAGS = (
    ("-std=gnu99", "-O1", "-mfma"), ("-std=c99", "-O1"), ("-std=c99", "-O2", "-mfma", "-ffp-contract=fast"),
    ("-std=gnu11", "-O0"), ("-std=gnu99", "-O3", "-march=native"),
)  # fmt: skip
X86 = machine() == "x86_64"


def flags_for(number):
    """Options of the number's turn, without those of another processor."""
    flags = FLAGS[number % len(FLAGS)]
    return flags if X86 else tuple(flag for flag in flags if flag != "-mfma")


def network(hidden=("relu", "tanh"), output="softmax", dtype="float64", outputs=3, inputs=5):
    """A model whose biases are not 0, with a wide layer and narrow ones."""
    sizes = [inputs, *(11, 8, 3)[: len(hidden)], outputs]
    model = Model(sizes, hidden=list(hidden), output=output, seed=7, dtype=dtype)
    rng = np.random.default_rng(3)
    model.set_weights([(w, rng.standard_normal(b.shape)) for w, b in model.weights])
    return model


@pytest.mark.sample(8)
@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", LOSSES)
@pytest.mark.parametrize("group", GROUPS, ids="-".join)
def test_it_has_the_bits_of_the_model(tmp_path, group, output, dtype):
    number = GROUPS.index(group) + list(LOSSES).index(output)
    model = network(group, output, dtype, outputs=2 + number % 2)
    source, _ = model.to_c(tmp_path / "net.c")
    compiler = COMPILERS[number % len(COMPILERS)]
    program = Program(source, model.spec, *flags_for(number), compiler=(compiler,))
    assert program.said == ""
    assert program.selftest() == 0
    compared, _ = compare(program, ways(model), magnitudes(np.random.default_rng(number), 500, 5, dtype))
    assert compared > 500


@needs_compiler
@pytest.mark.parametrize("layers", [[1, 1], [2, 1, 1, 29, 1, 1]])
def test_depths_and_widths(tmp_path, layers):
    model = Model(layers, hidden="silu", output="identity", seed=1, init=1.0)
    source, _ = model.to_c(tmp_path / "net.c")
    program = Program(source, model.spec, "-std=c99", "-O1")
    assert program.selftest() == 0
    compare(program, ways(model), magnitudes(np.random.default_rng(0), 200, layers[0], "float64"))


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_input_scale_is_folded_into_the_weights(tmp_path, dtype):
    model = Model([5, 7, 3], hidden="mish", seed=7, dtype=dtype, input_scale=True)
    model.set_weights(model.weights, input_scale=[3.1, -0.7, 0, 1 / 3, 2e-3])
    source, header = model.to_c(tmp_path / "net.c")
    program = Program(source, model.spec, "-std=c99", "-O1")
    assert program.selftest() == 0
    compare(program, ways(model), magnitudes(np.random.default_rng(0), 200, 5, dtype))
    assert model.digest() in header.read_text()


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_level_of_optimisation(tmp_path, dtype, compiler, level):
    model = network(("gelu_erf", "softplus", "tanh"), "softmax", dtype)
    source, _ = model.to_c(tmp_path / "net.c")
    x = magnitudes(np.random.default_rng(1), 2000, 5, dtype)
    for standard in ("c99", "gnu99"):
        for more in ([], ["-mfma"], ["-march=native", "-ffp-contract=fast"])[: 3 if X86 else 1]:
            program = Program(source, model.spec, f"-std={standard}", level, *more, compiler=(compiler,))
            assert program.selftest() == 0
            compare(program, ways(model), x)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
def test_other_processors(tmp_path, target, dtype):
    if not runs_here(target):
        pytest.skip(f"there is no compiler or no emulator of {target} here")
    compiler, emulator = TARGETS[target]
    model = network(("gelu_erf", "softplus", "tanh"), "softmax", dtype)
    source, _ = model.to_c(tmp_path / "net.c")
    for level in ("-O0", "-O2"):
        program = Program(source, model.spec, "-std=gnu99", level, compiler=compiler, emulator=emulator)
        assert program.selftest() == 0
        compare(program, ways(model), magnitudes(np.random.default_rng(1), 500, 5, dtype))


# ---------------------------------------------------------------------------------------------------------
# What the header says


@needs_compiler
def test_rows_at_once_and_rows_that_are_refused(tmp_path):
    model = network(output="sigmoid", dtype="float32")
    source, _ = model.to_c(tmp_path / "net.c")
    compiled(["gcc", "-std=c99", "-O1", "-fPIC", "-shared", str(source), "-o", str(tmp_path / "net.so")])
    library = ctypes.CDLL(str(tmp_path / "net.so"))
    x = np.random.default_rng(0).standard_normal((9, 5)).astype(np.float32)

    def rows(what, x, kind):
        result = np.zeros((len(x), 3), kind)
        of = getattr(library, f"net_{what}_rows")
        of.restype, of.argtypes = ctypes.c_size_t, [ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
        return of(len(x), x.ctypes.data, result.ctypes.data), result

    for what, kind, expected in (
        ("outputs", np.float32, model.predict_proba(x)),
        ("logits", np.float32, model._forward()("logits", x)),
        ("predict", np.int32, model.predict(x)),
    ):
        done, result = rows(what, x, kind)
        assert done == 9
        assert (result == expected).all()
    for wrong in (np.nan, np.inf, -np.inf):
        x[6, 2] = wrong
        assert rows("outputs", x, np.float32)[0] == 6
        result = (ctypes.c_float * 3)()
        assert library.net_outputs(ctypes.c_void_p(x[6:].ctypes.data), result) == -1  # BAD_INPUT
    x[6] = 3e38
    result = (ctypes.c_int32 * 3)()
    assert library.net_predict(ctypes.c_void_p(x[6:].ctypes.data), result) == -2  # BAD_OUTPUT
    with pytest.raises(ValueError, match="beyond the dtype's range"):
        model.predict(x[6:7])


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_needs_no_library_and_has_no_state(tmp_path, dtype):
    model = network(("gelu_erf", "softplus", "silu"), dtype=dtype)
    source, _ = model.to_c(tmp_path / "net.c", class_names=["a", "b", "c"])
    for level in ("-O0", "-O2"):
        compiled(["gcc", "-std=c99", level, "-c", str(source), "-o", str(tmp_path / "net.o")])
        names = subprocess.run(["nm", str(tmp_path / "net.o")], capture_output=True, text=True, check=True).stdout
        assert "net_outputs" in names
        kinds = {line.split()[-2] for line in names.splitlines()}
        assert "U" not in kinds, names  # no symbol of elsewhere
        assert not kinds & set("bBcC"), names  # nothing that is written to; the names' addresses are, by the loader
        assert all("class_names" in line for line in names.splitlines() if line.split()[-2] in "dD"), names


def deepest(graph, function):
    """The bytes of stack of a function and of what it calls, by gcc's graph of calls."""
    frames = {
        title: int(size) + 16  # the return address, aligned
        for title, size in re.findall(
            r'node: \{ title: "(.*?)" label: ".*?(\d+) bytes \((?:static|dynamic,bounded)\)', graph
        )
    }
    calls = re.findall(r'sourcename: "(.*?)" targetname: "(.*?)"', graph)

    def of(name):
        return frames[name] + max((of(other) for caller, other in calls if caller == name), default=0)

    return of(function)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_stack_and_the_code_are_as_stated(tmp_path, dtype):
    model = network(("gelu_erf", "softplus", "tanh"), dtype=dtype)
    source, header = model.to_c(tmp_path / "net.c")
    text = header.read_text()
    stated = int(re.search(r"Stack: (\d+) bytes", text).group(1))
    assert stated == (11 + 8 + 3) * np.dtype(dtype).itemsize  # a and b, and z of predict
    assert re.search(r"read: (\d+) bytes", text).group(1) == str(model.spec.parameters * np.dtype(dtype).itemsize)
    for flags in (["-O0"], ["-O2"], ["-O3", "-march=native"]):
        out = tmp_path / "net.o"
        command = [
            "gcc",
            "-std=c99",
            *flags,
            "-DNET_NO_SELFTEST",
            "-fcallgraph-info=su",
            "-c",
            str(source),
            "-o",
            str(out),
        ]
        compiled(command)
        assert deepest(out.with_suffix(".ci").read_text(), "net_predict_rows") < stated + c_header.CALLS
        sizes = subprocess.run(["size", "-A", str(out)], capture_output=True, text=True, check=True).stdout
        code = sum(int(line.split()[1]) for line in sizes.splitlines() if line.startswith(".text"))
        if "-O3" not in flags:
            assert code < c_header.CODE, sizes


@pytest.mark.skipif(not shutil.which("g++"), reason="there is no g++ here: the header is not compiled as C++")
def test_the_header_is_c_plus_plus_too(tmp_path):
    source, _ = network().to_c(tmp_path / "net.c", class_names=["a", "b", "c"])
    compiled(["gcc", "-std=c99", "-O1", "-c", str(source), "-o", str(tmp_path / "net.o")])
    main = tmp_path / "main.cpp"
    main.write_text("#include \"net.h\"\nint main() { return net_selftest() + (net_class_names[1][0] != 'b'); }\n")
    compiled(["g++", *WARNINGS, str(main), str(tmp_path / "net.o"), "-o", str(tmp_path / "main")])
    assert subprocess.run([tmp_path / "main"]).returncode == 0


def test_no_product_is_left_to_a_compiler(tmp_path):
    """Outside of `product`, indices, the software fma and the self-test's integers there is no `*` of numbers."""
    for dtype in DTYPES:
        source, _ = network(HIDDEN[:3], dtype=dtype).to_c(tmp_path / "net.c")
        text = source.read_text()
        for hidden in HIDDEN[3:]:
            text += network((hidden,), dtype=dtype).to_c(tmp_path / "net.c")[0].read_text()
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        text = re.sub(
            r"static (inline )?(float|double) (product|fused|fused_by_integers)\(.*?^}$", "", text, flags=16 | 8
        )
        text = re.sub(r"#ifndef NET_NO_SELFTEST.*?^#endif$", "", text, flags=16 | 8)
        found = {line.strip() for line in text.splitlines() if re.search(r"[\w)\]] \* [\w(]", line)}
        assert found <= {
            "const real *b = parameters + K * J;",
            "if (net_outputs(x + n * NET_INPUTS, results + n * NET_OUTPUTS) != NET_OK) {",
            "if (net_logits(x + n * NET_INPUTS, results + n * NET_OUTPUTS) != NET_OK) {",
            "if (net_predict(x + n * NET_INPUTS, results + n * NET_LABELS) != NET_OK) {",
        }, found


# ---------------------------------------------------------------------------------------------------------
# Arguments


def test_a_folder_and_names(tmp_path):
    model = network()
    assert [path.name for path in model.to_c(tmp_path)] == ["network.c", "network.h"]
    assert [path.name for path in model.to_c(tmp_path, name="wine")] == ["wine.c", "wine.h"]
    source, header = model.to_c(tmp_path / "some-file.c", name="net")
    assert '#include "some-file.h"' in source.read_text()
    assert "int net_selftest(void);" in header.read_text()
    assert model.digest() in header.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["network.c", "network.h", "wine.c", "wine.h", "some-file.c", "some-file.h"]
    )


def test_what_is_refused(tmp_path):
    model = network()
    assert "does not end in .c" in said(ValueError, model.to_c, tmp_path / "net.py")
    assert "path=3 is not a path" in said(TypeError, model.to_c, 3)
    assert "no such folder" in said(FileNotFoundError, model.to_c, tmp_path / "none" / "net.c")
    assert "name='some-file' cannot begin" in said(ValueError, model.to_c, tmp_path / "some-file.c")
    assert "name='int' cannot begin" in said(ValueError, model.to_c, tmp_path, name="int")
    assert "name=3 is not text" in said(TypeError, model.to_c, tmp_path, name=3)
    assert "class_names has 2 names" in said(ValueError, model.to_c, tmp_path, class_names=["a", "b"])
    assert "not a list of texts" in said(TypeError, model.to_c, tmp_path, class_names="abc")
    assert "not a list of texts" in said(TypeError, model.to_c, tmp_path, class_names=[1, 2, 3])
    values = network(output="identity")
    assert "class_names are for" in said(ValueError, values.to_c, tmp_path, class_names=["a", "b", "c"])
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(c_source, "MOST", 10)
    assert "C sources are written up to 10" in said(ValueError, network().to_c, tmp_path)


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    said(OSError, network().to_c, tmp_path)
    assert list(tmp_path.iterdir()) == []
