"""Times one row through exported C, `Model.predictor`, ONNX Runtime and emlearn: the tables of docs/export.md.

    taskset -c 1 python tools/export_times.py

Peers that are not installed are left out: `pip install onnx onnxruntime emlearn scikit-learn`. Of ONNX Runtime, one
thread and `InferenceSession.run` are timed; of emlearn, the C of `convert(..., method="inline")`, with our compiler and
options. Each is the least of 300 short rounds, in microseconds.

    python tools/export_times.py --sizes

prints bytes: of the source and the ONNX file, and of code and constants without the self-test, as gcc -Os makes them.
"""

import argparse
import contextlib
import importlib.metadata
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from fastmlp import Model

NETWORKS = ([4, 16, 3], "relu"), ([30, 32, 32, 3], "tanh"), ([64, 100, 10], "relu")
ROUNDS = 300  # short ones, since another program may take the core for a while
MAIN = """\
#define _POSIX_C_SOURCE 199309L
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include "{header}"
int main(void)
{{
    static {real} x[{inputs}];
    volatile int32_t label[{outputs}];
    int32_t found[{outputs}];
    double least = 1e9;
    int round, n, count = {count};
    for (round = 0; round < {rounds}; ++round) {{
        struct timespec begin, end;
        double took;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (n = 0; n < count; ++n) {{
            x[n % {inputs}] = ({real})(n % 7 - 3) / 3;
            {call};
            label[0] = found[0];
        }}
        clock_gettime(CLOCK_MONOTONIC, &end);
        took = (double)(end.tv_sec - begin.tv_sec) * 1e6 + (double)(end.tv_nsec - begin.tv_nsec) / 1e3;
        if (took / count < least) {{
            least = took / count;
        }}
    }}
    printf("%.3f\\n", least);
    return 0;
}}
"""


def of_program(folder, header, call, real, model, flags, sources=(), link=()):
    """The microseconds of a call in C."""
    inputs, outputs = model.spec.inputs, model.spec.outputs
    count = max(10, 100_000 // model.spec.parameters)
    main = Path(folder) / "main.c"
    main.write_text(
        MAIN.format(header=header, real=real, inputs=inputs, outputs=outputs, call=call, count=count, rounds=ROUNDS)
    )
    program = Path(folder) / "main"
    command = ["gcc", *flags, str(main), *map(str, sources), "-o", str(program), *link]
    subprocess.run(command, check=True, capture_output=True)
    return float(subprocess.run([program], check=True, capture_output=True, text=True).stdout)


def of_function(function, x):
    """The microseconds of a call of Python."""
    least = 1e9
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(100):
            function(x)
        least = min(least, (time.perf_counter() - begin) / 100)
    return least * 1e6


def of_ours(model, flags):
    with tempfile.TemporaryDirectory() as folder:
        source, _ = model.to_c(Path(folder) / "net.c")
        real = "float" if model.spec.dtype == "float32" else "double"
        return of_program(folder, "net.h", "net_predict(x, found)", real, model, flags, [source])


def of_onnxruntime(model):
    """The model's ONNX file, of which the probabilities are asked for."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = str(model.to_onnx(folder))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    row = np.zeros((1, model.spec.inputs), model.spec.dtype)
    assert np.allclose(session.run(None, {"X": row})[1], model.predict_proba(row), atol=1e-5)
    return of_function(lambda x: session.run(["probabilities"], {"X": x}), row)


def sizes_of(model):
    """{what: bytes} of what the model is exported as."""
    with tempfile.TemporaryDirectory() as folder:
        source, _ = model.to_c(Path(folder) / "net.c")
        compiled = ["gcc", "-std=c99", "-Os", "-DNET_NO_SELFTEST", "-c", "net.c", "-o", "net.o"]
        subprocess.run(compiled, check=True, cwd=folder)
        said = subprocess.run(["size", "-A", "net.o"], check=True, cwd=folder, capture_output=True, text=True).stdout
        sections = [(name, int(size)) for name, size in re.findall(r"^(\.\S+)\s+(\d+)", said, re.M)]
        code = sum(size for name, size in sections if name.startswith(".text"))
        constants = sum(size for name, size in sections if name.startswith((".rodata", ".data", ".bss")))
        found = {"source": source.stat().st_size, "code": code, "constants": constants}
        found["parameters"] = model.spec.parameters * np.dtype(model.spec.dtype).itemsize
        with contextlib.suppress(ImportError):
            found["ONNX file"] = model.to_onnx(folder).stat().st_size
    return found


def of_emlearn(model, flags):
    """scikit-learn's classifier with the model's weights, as emlearn writes it."""
    import warnings

    import emlearn
    from sklearn.neural_network import MLPClassifier

    sizes = model.spec.layers
    made = MLPClassifier(hidden_layer_sizes=sizes[1:-1], activation=model.spec.hidden[0], max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.fit(np.random.default_rng(0).standard_normal((50, sizes[0])), np.arange(50) % sizes[-1])
    for layer, (w, b) in enumerate(model.weights):
        made.coefs_[layer][...], made.intercepts_[layer][...] = w, b
    include = Path(emlearn.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        emlearn.convert(made, method="inline", dtype="float").save(file=str(Path(folder) / "peer.h"), name="peer")
        more = ["-I", str(include)]
        call = f"found[0] = peer_predict(x, {sizes[0]})"
        return of_program(folder, "peer.h", call, "float", model, [*flags, *more], link=["-lm"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", action="store_true", help="bytes instead of times")
    if parser.parse_args().sizes:
        for sizes, hidden in NETWORKS:
            for dtype in ("float32", "float64"):
                found = sizes_of(Model(sizes, hidden=hidden, seed=1, dtype=dtype))
                words = ", ".join(f"{what} {size:,}" for what, size in found.items())
                print(f"{'-'.join(map(str, sizes))} {hidden} {dtype}: {words}")
        return
    flags = {"-O2": ["-std=gnu99", "-O2"], "-O3 -march=native": ["-std=gnu99", "-O3", "-march=native"]}
    print("cores that may be used:", len(os.sched_getaffinity(0)))
    for name in ("onnxruntime", "emlearn"):
        try:
            print(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            print(name, "is not installed")
    for sizes, hidden in NETWORKS:
        for dtype in ("float32", "float64"):
            model = Model(sizes, hidden=hidden, seed=1, dtype=dtype)
            row = np.zeros(sizes[0], dtype)
            times = {"predictor": of_function(model.predictor(), row)}
            for what, options in flags.items():
                times[f"C {what}"] = of_ours(model, options)
            with contextlib.suppress(ImportError):
                times["ONNX Runtime"] = of_onnxruntime(model)
            if dtype == "float32":
                for what, options in flags.items():
                    try:
                        times[f"emlearn {what}"] = of_emlearn(model, options)
                    except ImportError:
                        continue
            print(f"{'-'.join(map(str, sizes))} {hidden} {dtype}:", ", ".join(f"{n} {t:.2f}" for n, t in times.items()))


if __name__ == "__main__":
    main()
