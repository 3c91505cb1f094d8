"""Exported C, compiled and run: what the tests of `fastmlp/export/` and `tests/long/export_rows.py` share.

A program of a source and of DRIVER reads rows from its standard input and writes each row's state and results. So a
program for another processor runs in an emulator as one for this machine does here.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np

from fastmlp.engine.forward import Forward

WARNINGS = ("-Wall", "-Wextra", "-pedantic", "-Wconversion", "-Wshadow", "-Werror")
COMPILERS = tuple(name for name in ("gcc", "clang") if shutil.which(name))
# Other processors: the compiler with its options, and the emulator. On Debian: gcc-aarch64-linux-gnu, gcc-arm-linux-
# gnueabihf, gcc-riscv64-linux-gnu with libc6-dev-...-cross, and qemu-user-static.
TARGETS = {
    "aarch64": (("aarch64-linux-gnu-gcc",), ("qemu-aarch64-static",)),
    "armv7": (("arm-linux-gnueabihf-gcc", "-march=armv7-a+fp"), ("qemu-arm-static",)),
    "armv7 with fma": (("arm-linux-gnueabihf-gcc", "-march=armv7-a+neon-vfpv4"), ("qemu-arm-static",)),
    "riscv64": (("riscv64-linux-gnu-gcc",), ("qemu-riscv64-static",)),
}
DRIVER = """\
#include "@name@.h"
#include <stdio.h>
#include <string.h>

int main(int count, char **words)
{
    static @given@ x[@NAME@_INPUTS];
    static @made@ y[@NAME@_OUTPUTS];
    static @real@ z[@NAME@_OUTPUTS];
    static int32_t label[@NAME@_OUTPUTS];
    if (count < 2) {
        return @name@_selftest();
    }
    while (fread(x, sizeof x, 1, stdin) == 1) {
        int32_t state;
        if (strcmp(words[1], "outputs") == 0) {
            state = @name@_outputs(x, y);
            fwrite(&state, sizeof state, 1, stdout);
            fwrite(y, sizeof y, 1, stdout);
        } else if (strcmp(words[1], "logits") == 0) {
            state = @name@_logits(x, z);
            fwrite(&state, sizeof state, 1, stdout);
            fwrite(z, sizeof z, 1, stdout);
        }
@predict@    }
    return 0;
}
"""
PREDICT = """\
        else {
            state = @name@_predict(x, label);
            fwrite(&state, sizeof state, 1, stdout);
            fwrite(label, sizeof label[0], @NAME@_LABELS, stdout);
        }
"""


def driver(name, spec, given=None, made=None):
    """The text of a program that calls the functions of a source."""
    real = "float" if spec.dtype == "float32" else "double"
    values = {
        "predict": PREDICT if spec.is_classifier else "        (void)label;\n",
        "name": name, "NAME": name.upper(), "given": given or real, "made": made or real, "real": real,
    }  # fmt: skip
    text = DRIVER
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


class Program:
    """A compiled source with its driver. `selftest()`, and `(what, x)` -> states (N,) and results (N, ...)."""

    def __init__(self, source, spec, *flags, compiler=("gcc",), emulator=(), given=None, made=None, link=()):
        source = Path(source)
        self._spec, self._emulator = spec, emulator
        self._given, self._made = ("float64" if kind == "double" else spec.dtype for kind in (given, made))
        main = source.with_name(f"{source.stem}_main.c")
        main.write_text(driver(source.stem, spec, given, made))
        self._path = source.with_name(f"{source.stem}_program")
        static = ("-static",) if emulator else ()
        files = (str(main), str(source), "-o", str(self._path), *link)
        self.said = compiled([*compiler, *(flags or ("-std=c99", "-O2")), *WARNINGS, *static, *files])

    def selftest(self):
        return subprocess.run([*self._emulator, self._path], timeout=600).returncode

    def __call__(self, what, x):
        spec = self._spec
        kind = {"outputs": self._made, "logits": spec.dtype, "predict": "int32"}[what]
        width = 1 if what == "predict" and spec.output == "softmax" else spec.outputs
        rows = np.ascontiguousarray(x, self._given)
        told = subprocess.run(
            [*self._emulator, self._path, what], input=rows.tobytes(), capture_output=True, check=True, timeout=3000
        ).stdout
        found = np.frombuffer(told, np.dtype([("state", np.int32), ("result", kind, (width,))]))
        assert len(found) == len(rows)
        return found["state"], found["result"]


def compiled(command):
    """What a compiler says. It must end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stderr


def runs_here(target):
    """Whether this machine has a target's compiler and emulator."""
    compiler, emulator = TARGETS[target]
    return bool(shutil.which(compiler[0]) and shutil.which(emulator[0]))


def magnitudes(rng, count, columns, dtype):
    """Rows (count, columns) about 1, of one magnitude a row, and of any; zeros, subnormal and the largest numbers."""
    info = np.finfo(dtype)
    x = rng.standard_normal((count, columns))
    kind = rng.integers(0, 8, count)[:, None]
    of_row, of_each = rng.integers(-40, 12, (count, 1)), rng.integers(info.minexp - info.nmant, info.maxexp, x.shape)
    with np.errstate(all="ignore"):
        x = np.where(kind >= 5, np.ldexp(x, of_row), x)
        x = np.where((kind == 4) | ((kind == 3) & (rng.random(x.shape) < 0.1)), np.ldexp(x, of_each), x)
        x = np.where((kind <= 1) & (rng.random(x.shape) < 0.1), rng.choice([0.0, -0.0, 1.0, -1.0], x.shape), x)
        x = x.astype(dtype)
    return np.where(np.isfinite(x), x, info.max)


class Lenient(Forward):
    """What a model computes of rows, also of those that it refuses, where a result is not finite or a label is -1."""

    def _refuse(self, result, name):
        pass


def expected(predict, x):
    """(which rows are not refused (N,), the results of those rows). Refused: predict raises ValueError for them."""
    good, parts = np.zeros(len(x), bool), []
    if getattr(predict, "lenient", False):
        found = predict(x).reshape(len(x), -1)
        good = (found >= 0).all(axis=1) if found.dtype.kind == "i" else np.isfinite(found).all(axis=1)
        return good, found[good]

    def look(begin, end):
        if begin == end:
            return
        try:
            parts.append(predict(x[begin:end]).reshape(end - begin, -1))
            good[begin:end] = True
        except ValueError:
            if end - begin > 1:
                middle = (begin + end) // 2
                look(begin, middle)
                look(middle, end)

    for begin in range(0, len(x), 64):
        look(begin, min(begin + 64, len(x)))
    return good, np.concatenate(parts) if parts else np.zeros((0, 1))


def ways(model):
    """{what: the function of a model that gives it}."""
    found = {"logits": lambda x: model._forward()("logits", x)}
    if model.spec.is_classifier:
        return found | {"outputs": model.predict_proba, "predict": model.predict}
    return found | {"outputs": lambda x: model.predict(x).reshape(len(x), -1)}


def ways_at_once(model):
    """As `ways`, without an error for refused rows, which `expected` would search for one by one."""
    forward = Lenient(model.spec, model.snapshot().parameters, "numba")

    def way(kind):
        def predict(x):
            return forward(kind, x)

        predict.lenient = True
        return predict

    return {what: way({"predict": "labels"}.get(what, what)) for what in ways(model)}


def compare(program, of, x):
    """How many rows were compared and refused; raises AssertionError where the program differs in a bit.

    of: {what: function}, as `ways` gives them.
    """
    compared = refused = 0
    for what, predict in of.items():
        good, values = expected(predict, x)
        states, results = program(what, x)
        wrong = np.flatnonzero((states == 0) != good)
        assert not len(wrong), f"{what}: row {wrong[0]} has state {states[wrong[0]]}, and predict says {good[wrong[0]]}"
        results = results[good]
        values = values.astype(results.dtype) if results.dtype.kind == "i" else values
        assert results.dtype == values.dtype, (results.dtype, values.dtype)
        kind = f"u{results.itemsize}"
        same = (np.ascontiguousarray(results).view(kind) == np.ascontiguousarray(values).view(kind)).all(axis=1)
        first = np.flatnonzero(good)[~same][:1]
        assert same.all(), f"{what}: {(~same).sum()} of {len(same)} rows differ, the first is {first}"
        compared += len(values)
        refused += len(x) - len(values)
    return compared, refused
