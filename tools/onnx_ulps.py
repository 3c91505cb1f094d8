"""How far ONNX Runtime's results of exported networks are from ours: the table of docs/conversions.md.

    taskset -c 1 python tools/onnx_ulps.py

It needs onnx, onnxruntime and pandas. Networks are 10-32-32-3, their inputs 10 000 rows of normal numbers. A difference
is in units in the last place of the dtype at our result, or at 1 where that is smaller: the most, and the mean, of
probabilities, values and means. Labels that differ are counted. The last rows are of a table with words and holes.
"""

import argparse
import importlib.metadata
import tempfile

import numpy as np
import onnxruntime
import pandas

from fastmlp import Model, TableModel
from fastmlp.spec import HIDDEN, LOSSES

ROWS = 10_000


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compared(ours, theirs, dtype):
    """(the most, the mean) of differences."""
    ours, theirs = ours.astype(float), theirs.astype(float)
    ulps = np.abs(theirs - ours) / np.spacing(np.maximum(np.abs(ours), 1).astype(dtype)).astype(float)
    return ulps.max(), ulps.mean()


def of(hidden, output, dtype):
    """(the most, the mean, how many labels differ) of a network's results."""
    model = Model([10, 32, 32, 3], hidden=hidden, output=output, dtype=dtype, seed=1)
    x = np.random.default_rng(2).standard_normal((ROWS, 10)).astype(dtype)
    with tempfile.TemporaryDirectory() as folder:
        network = session(model.to_onnx(folder))
    found = dict(zip([o.name for o in network.get_outputs()], network.run(None, {"X": x}), strict=True))
    classifies = model.spec.is_classifier
    ours = (model.predict_proba if classifies else model.predict)(x)
    most, mean = compared(ours, found["probabilities" if classifies else "values"], dtype)
    return most, mean, int((found["label"] != model.predict(x)).sum()) if classifies else 0


def of_table(recipe, dtype):
    """The same of a table of 6 columns of words and numbers, of whose cells a tenth is missing."""
    draws = np.random.default_rng(3)
    columns = {f"word {k}": draws.choice([*"abcdef"], ROWS).astype(object) for k in range(3)}
    columns |= {f"number {k}": draws.lognormal(k, 2, ROWS) for k in range(3)}
    for cells in columns.values():
        cells[draws.random(ROWS) < 0.1] = None if cells.dtype == object else np.nan
    rows = pandas.DataFrame(columns)
    y = np.where(rows["number 0"] > 1, rows["word 0"].fillna("a"), "a")
    options = {"recipe": True} if recipe else {"dtype": dtype}  # a recipe is of float32
    table = TableModel.fit(rows.assign(y=y), target="y", hidden=[32, 32], epochs=5, **options)
    with tempfile.TemporaryDirectory() as folder:
        network = session(table.to_onnx(folder))
    cells = {
        name: rows[[name]].fillna("").to_numpy(str) if "word" in name else rows[[name]].to_numpy() for name in rows
    }
    label, p = network.run(["label", "probabilities"], cells)
    most, mean = compared(table.predict_proba(rows), p, dtype)
    return most, mean, int((label != table.predict(rows)).sum())


def main():
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    print(*(f"{name} {importlib.metadata.version(name)}" for name in ("onnx", "onnxruntime")), sep=", ")
    print(f"{'':24}{'float32':>20}{'float64':>20}")
    cases = [(f"{hidden}, identity", of, (hidden, "identity")) for hidden in HIDDEN]
    cases += [(f"tanh, {output}", of, ("tanh", output)) for output in LOSSES if output != "identity"]
    cases += [(f"a table{', --recipe' * recipe}", of_table, (recipe,)) for recipe in (False, True)]
    for name, function, arguments in cases:
        cells = []
        for dtype in ("float32", "float64"):
            if dtype == "float64" and ("gelu_erf" in name or "recipe" in name):
                cells.append("")
                continue
            most, mean, labels = function(*arguments, dtype)
            cells.append(f"{most:.1f} ({mean:.2f})" + (f", {labels} labels" if labels else ""))
        print(f"{name:24}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
