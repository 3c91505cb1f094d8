"""How far ONNX Runtime's results of exported networks are from ours: the table of docs/conversions.md.

    taskset -c 1 python tools/onnx_ulps.py

It needs onnx and onnxruntime. Networks are 10-32-32-3, their inputs 10 000 rows of normal numbers. A difference is in
units in the last place of the dtype at our result, or at 1 where that is smaller: the most, and the mean, of
probabilities, values and means. Labels that differ are counted.
"""

import argparse
import importlib.metadata
import tempfile

import numpy as np
import onnxruntime

from fastmlp import Model
from fastmlp.spec import HIDDEN, LOSSES

ROWS = 10_000


def of(hidden, output, dtype):
    """(the most, the mean, how many labels differ) of a network's results."""
    model = Model([10, 32, 32, 3], hidden=hidden, output=output, dtype=dtype, seed=1)
    x = np.random.default_rng(2).standard_normal((ROWS, 10)).astype(dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = model.to_onnx(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"X": x}), strict=True))
    classifies = model.spec.is_classifier
    ours = (model.predict_proba if classifies else model.predict)(x).astype(float)
    theirs = found["probabilities" if classifies else "values"].astype(float)
    ulps = np.abs(theirs - ours) / np.spacing(np.maximum(np.abs(ours), 1).astype(dtype)).astype(float)
    return ulps.max(), ulps.mean(), int((found["label"] != model.predict(x)).sum()) if classifies else 0


def main():
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    print(*(f"{name} {importlib.metadata.version(name)}" for name in ("onnx", "onnxruntime")), sep=", ")
    print(f"{'':24}{'float32':>20}{'float64':>20}")
    cases = [(hidden, "identity") for hidden in HIDDEN]
    cases += [("tanh", output) for output in LOSSES if output != "identity"]
    for hidden, output in cases:
        cells = []
        for dtype in ("float32", "float64"):
            if (hidden, dtype) == ("gelu_erf", "float64"):
                cells.append("")
                continue
            most, mean, labels = of(hidden, output, dtype)
            cells.append(f"{most:.1f} ({mean:.2f})" + (f", {labels} labels" if labels else ""))
        print(f"{hidden + ', ' + output:24}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
