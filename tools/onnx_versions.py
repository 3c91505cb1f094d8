"""Whether other versions of ONNX Runtime take our files, and give what we predict.

    python tools/onnx_versions.py write FOLDER       files, rows and results; needs onnx, onnxruntime and pandas
    python tools/onnx_versions.py run FOLDER         needs NumPy and an ONNX Runtime alone, of any Python

The files are of every activation and every output in both dtypes, scaled rows, and tables of words and holes. A file
differs if ONNX Runtime refuses it, if a label is another one, or if a result is more than 64 units in the last place
away, of the result or, where that is smaller, of 1. Exits 1 where one does.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

ROWS, MOST = 500, 64
DTYPES = ("float32", "float64")


def networks():
    """(name, model, rows) of every file that takes X."""
    from fastmlp import Model
    from fastmlp.spec import HIDDEN, LOSSES

    draws = np.random.default_rng(0)
    x = draws.normal(size=(ROWS, 4))
    for dtype in DTYPES:
        for hidden in HIDDEN:
            if (hidden, dtype) != ("gelu_erf", "float64"):
                yield f"{hidden}-{dtype}", Model([4, 7, 3], hidden=hidden, output="identity", dtype=dtype, seed=1), x
        for output in LOSSES:
            yield f"{output}-{dtype}", Model([4, 7, 3], hidden="tanh", output=output, dtype=dtype, seed=1), x
        scaled = Model([4, 7, 2], output="identity", dtype=dtype, standardize="both", seed=1)
        scaled.fit(x * [1, 50, 1e-3, 0], x[:, :2] * 3 + 1, epochs=1)
        yield f"standardize-{dtype}", scaled, x


def tables():
    """(name, table, rows) of tables: words and numbers, words alone, numbers alone; of each, a fifth is missing."""
    import pandas

    from fastmlp import TableModel

    draws = np.random.default_rng(1)
    columns = {"word": draws.choice(["ape", "bee", "cow"], ROWS).astype(object), "number": draws.lognormal(0, 2, ROWS)}
    for cells in columns.values():
        cells[draws.random(ROWS) < 0.2] = None if cells.dtype == object else np.nan
    rows = pandas.DataFrame(columns)
    y = {"classes": draws.choice(["no", "yes"], ROWS), "values": draws.normal(size=ROWS)}
    for kind, names in {"both": ["word", "number"], "words": ["word"], "numbers": ["number"]}.items():
        for target, values in y.items():
            data = rows[names].assign(y=values)
            for options in ({"dtype": "float32"}, {"dtype": "float64"}, {"recipe": True}):
                table = TableModel.fit(data, target="y", hidden=[8], epochs=1, **options)
                yield f"{kind}-{target}-{next(iter(options.values()))}", table, rows[names]


def write(folder):
    """Writes each file, and beside it rows and results."""
    import onnxruntime

    for name, model, rows in (*networks(), *tables()):
        path = str(model.to_onnx(folder / f"{name}.onnx"))
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        given = {}
        for place in session.get_inputs():
            if place.name == "X":
                given["X"] = np.asarray(rows, np.float32 if place.type == "tensor(float)" else np.float64)
            else:
                cells = rows[[place.name]]
                given[place.name] = cells.fillna("").to_numpy(str) if "string" in place.type else cells.to_numpy()
        x = given["X"] if isinstance(rows, np.ndarray) else rows
        results = {"values": model.predict(x)}
        if "label" in [made.name for made in session.get_outputs()]:
            results = {"label": model.predict(x).astype(str), "probabilities": model.predict_proba(x)}
        inputs = {f"in {key}": value for key, value in given.items()}
        np.savez(folder / f"{name}.npz", **inputs, **{f"out {key}": value for key, value in results.items()})


def fault(path):
    """What is wrong with a file, or None."""
    import onnxruntime

    kept = np.load(path.with_suffix(".npz"))
    given = {name[3:]: kept[name] for name in kept if name.startswith("in ")}
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [made.name for made in session.get_outputs()]
        found = dict(zip(names, session.run(names, given)))  # noqa: B905 - of any Python
    except Exception as error:
        return str(error)[:200]
    for name, values in found.items():
        expected = kept[f"out {name}"]
        if name == "label":
            if (values.astype(str) != expected).any():
                return "labels differ"
            continue
        wide = np.maximum(np.abs(expected.astype(float)), 1)
        eps = np.finfo(np.float32 if "float32" in path.stem or "True" in path.stem else np.float64).eps
        most = (np.abs(values.astype(float) - expected) / wide).max() / eps
        if not most <= MOST:
            return f"{most:.1f} units in the last place"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["write", "run"])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    if args.what == "write":
        args.folder.mkdir(parents=True, exist_ok=True)
        warnings.simplefilter("ignore")
        write(args.folder)
        return 0
    import onnxruntime

    paths = sorted(args.folder.glob("*.onnx"))
    faults = {path.stem: said for path in paths if (said := fault(path)) is not None}
    for name, said in faults.items():
        print(f"{name}: {said}")
    print(f"ONNX Runtime {onnxruntime.__version__}: {len(paths) - len(faults)} of {len(paths)} files agree")
    return int(bool(faults) or not paths)


if __name__ == "__main__":
    sys.exit(main())
