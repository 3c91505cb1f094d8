"""A sweep in a process of its own, which tests kill: python killed.py FOLDER."""

import sys

from sweep.tables import blobs

from fastmlp.sweep import Sweep

GRID = {"learning_rate": [0.02, 0.3, 1e30], "width": [4, 9], "depth": [1, 2], "seed": range(4)}
OPTIONS = {"epochs": 400, "batch_size": 4, "validation": 0.2, "early_stopping": 60, "threads": 2}


def run(folder=None, **options):
    X, y = blobs()
    sweep = Sweep(GRID, base={"output": "identity"})
    return sweep.fit(X, y * 1.0, folder=folder, progress=False, **{**OPTIONS, **options})


if __name__ == "__main__":
    print(sum(found.seconds for found in run(sys.argv[1])))
