"""The vectors that fastmlp ships, fastmlp/vectors/*.json: made by the reference, never by a kernel.

    python -m tools.vectors            writes them; needs NumPy and fastmlp, and some three minutes
    python -m tools.vectors --check    makes them again, and exits 1 unless every byte is that of the files
    python -m tools.vectors --check functions layers     those files

Floats are hex strings, exact in their dtype. docs/verify.md says what each file holds.
"""

import json
import sys

import numpy as np

from fastmlp import splits
from fastmlp.reference import (
    activations,
    arithmetic,
    dense,
    elementary,
    gradients,
    losses,
    optimizers,
    random,
    schedules,
)
from fastmlp.spec import DTYPES, HIDDEN, NUMERICS_VERSION
from fastmlp.verification import trainings
from fastmlp.verification.vectors import FILES, FOLDER, in_hex
from tools.vectors.trainings import TRAININGS

MOST = 300_000  # bytes of all files


def number(value, dtype):
    return np.array(value, dtype)


def uniform(seed, stream, shape, dtype, low=-2.0, high=2.0):
    """Numbers between low and high, from the generator."""
    u = random.uniform(seed, stream, 0, int(np.prod(shape)))
    return ((high - low) * u + low).astype(dtype).reshape(shape)


def hard(dtype):
    """Arguments at which functions are hard: zeros, subnormal numbers, ends of ranges and their neighbours."""
    info, kind = np.finfo(dtype), np.dtype(dtype).type
    ends = [0.0, float(info.smallest_subnormal), float(info.tiny), float(info.eps), 0.34657359, 0.70710677, 0.75, 1.0]
    ends += [5.5, 8.66, 14.6, 18.72, 20.0, 38.7, 40.0, 88.72, 103.97, 709.78, 745.13, 1e5, float(info.max)]
    ends = np.array(ends).astype(dtype)
    with np.errstate(over="ignore"):
        near = np.concatenate([ends, np.nextafter(ends, kind(np.inf))])
    return np.concatenate([near, -near, np.array([np.inf, -np.inf, np.nan], dtype), uniform(1, 0, 16, dtype, -20, 20)])


def functions():
    for name in ("exp", "expm1_nonpositive", "log", "log1p", "sigmoid", "tanh", "normal_cdf"):
        for dtype in DTYPES:
            x = hard(dtype)
            x = x[~(x > 0)] if name == "expm1_nonpositive" else x[~(x < 0)] if name == "log1p" else x
            yield {
                "pair": f"elementary.map_{name}",
                "dtype": dtype,
                "x": in_hex(x),
                "y": in_hex(getattr(elementary, name)(x)),
            }
    for dtype in DTYPES:
        a, b = uniform(2, 0, 24, dtype), uniform(2, 1, 24, dtype)
        c = (-(a * b)).astype(dtype)
        c[8:16] = uniform(2, 2, 8, dtype)
        a[16:], c[16:] = a[16:] * np.finfo(dtype).tiny, c[16:] * np.finfo(dtype).tiny
        yield {
            "function": "fma",
            "dtype": dtype,
            "a": in_hex(a),
            "b": in_hex(b),
            "c": in_hex(c),
            "y": in_hex(arithmetic.fma(a, b, c)),
        }
        for rows in (1, 17, 513, 1500):
            x = uniform(3, 0, rows, dtype)
            yield {
                "function": "row_sum",
                "dtype": dtype,
                "x": "4 u - 2 rounded, u = uniform(seed 3, stream 0, epoch 0)",
                "rows": rows,
                "y": in_hex(arithmetic.row_sum(x)),
                "of_squares": in_hex(arithmetic.row_products(x[:, None], x[:, None])[0, 0]),
            }
    for base, exponent in ((0.9, 2.5), (0.9, 5.0), (0.5, 0.0), (1e-300, 1.5), (3.0, 0.1)):
        yield {
            "function": "power",
            "dtype": "float64",
            "x": base.hex(),
            "y": exponent.hex(),
            "power": in_hex(schedules.power(base, exponent)),
        }
    f = np.array([0.0, 1e-9, 0.25, 0.3, 0.5, np.nextafter(0.5, 1), 0.7, 1 - 1e-9, 1.0])
    yield {"function": "half_cosine", "dtype": "float64", "f": in_hex(f), "y": in_hex(schedules.half_cosine(f))}


PARAMETERS = {
    "softmax_smooth_cross_entropy": 0.1,
    "identity_huber": 0.3,
    "identity_quantile": 0.9,
    "softmax_bounded_cross_entropy": 0.25,
    "sigmoid_bounded_binary_cross_entropy": 0.25,
}
LOSSES = (
    "softmax_cross_entropy",
    "softmax_smooth_cross_entropy",
    "softmax_bounded_cross_entropy",
    "sigmoid_binary_cross_entropy",
    "sigmoid_bounded_binary_cross_entropy",
    "sigmoid_squared_error",
    "identity_squared_error",
    "identity_absolute_error",
    "identity_huber",
    "identity_quantile",
    "exponential_poisson",
)
UPDATES = {  # this update's numbers, and those of all updates, as tests/digests.py has them
    "gradient_descent": ((0.1,), ()),
    "momentum": ((0.1,), (0.9,)),
    "nesterov": ((0.1,), (0.9,)),
    "classical_momentum": ((0.1,), (0.9,)),
    "classical_nesterov": ((0.1,), (0.9,)),
    "adam": ((0.01, 1.5, 0.999), (0.9, 0.1, 0.99, 0.01, 1e-8)),
    "rmsprop": ((0.01,), (0.99, 0.01, 1e-8)),
    "adagrad": ((0.01,), (1e-10,)),
}
GRADIENTS = {"scaled": (1 / 3,), "penalized": (0.1, 0.01), "clipped_by_value": (1.0,), "clipped_by_norm": (2.0,)}


def layers():
    for dtype in DTYPES:
        a, w, b = uniform(4, 0, (20, 3), dtype), uniform(4, 1, (3, 2), dtype), uniform(4, 2, 2, dtype)
        dz = uniform(4, 3, (20, 2), dtype)
        dw, db = dense.dense_backward_weights(a, dz)
        yield {
            "function": "dense",
            "dtype": dtype,
            "a": in_hex(a),
            "w": in_hex(w),
            "b": in_hex(b),
            "dz": in_hex(dz),
            "z": in_hex(dense.dense_forward(a, w, b)),
            "da": in_hex(dense.dense_backward_input(dz, w)),
            "dw": in_hex(dw),
            "db": in_hex(db),
        }
        z = np.concatenate(
            [hard(dtype)[[0, 3, 4, 7, 9, 10, 21, 24, 42, 45, 46, 49, 51, 52]], uniform(5, 0, 16, dtype, -8, 8)]
        )[:, None]
        for name in HIDDEN:
            a, slope = getattr(activations, f"{name}_forward")(z), None
            a, slope = a if isinstance(a, tuple) else (a, None)
            kernel = name not in ("relu", "identity")  # which have none of their own
            entry = {
                "pair" if kernel else "function": f"activations.{name}_forward",
                "dtype": dtype,
                "z": in_hex(z),
                "a": in_hex(a),
            }
            yield entry if slope is None else {**entry, "slope": in_hex(slope)}
        z = uniform(6, 0, (8, 3), dtype, -4, 4)
        z[6], z[7, :2] = 30, 0.5  # a loss that is nearly 0, and equal logits
        for name in LOSSES:
            u = uniform(6, 1, (8, 3), dtype, 0, 1)
            y = {"softmax": np.floor(3 * u[:, 0]), "identity": 4 * u - 2, "exponential": np.floor(4 * u * u)}.get(
                name.split("_")[0], u
            )
            parameter = [number(PARAMETERS[name], dtype)[()]] if name in PARAMETERS else []
            dz, loss, _ = getattr(losses, name)(z, y, *parameter)
            entry = {"pair": f"losses.{name}", "dtype": dtype, "z": in_hex(z), "y": in_hex(y)}
            yield {
                **entry,
                **({"parameter": in_hex(parameter[0])} if parameter else {}),
                "dz": in_hex(dz),
                "loss": in_hex(loss),
            }
        for name, (step, settings) in UPDATES.items():
            step, settings, scale = number(step, dtype), number(settings, dtype), number(1 / 3, dtype)[()]
            p, totals = uniform(7, 0, 12, dtype), [uniform(7, 1 + k, 12, dtype) for k in range(3)]
            state = [np.zeros(12, dtype) for _ in range({"gradient_descent": 0, "adam": 2}.get(name, 1))]
            after = p
            for total in totals:
                made = getattr(optimizers, name)(after, total, scale, *state, *step, *settings)
                after, *state = made if isinstance(made, tuple) else (made,)
            yield {
                "pair": f"optimizers.{name}",
                "dtype": dtype,
                "p": in_hex(p),
                "totals": in_hex(np.array(totals)),
                "scale": in_hex(scale),
                "step": in_hex(step),
                "settings": in_hex(settings),
                "p_after": in_hex(after),
                "state": in_hex(np.array(state)),
            }
        for name, settings in GRADIENTS.items():
            g, w, settings = uniform(8, 0, 12, dtype), uniform(8, 1, 12, dtype), number(settings, dtype)
            more = {"w": in_hex(w)} if name == "penalized" else {}
            after = getattr(gradients, name)(g, *([w] if more else []), *settings)
            yield {
                "pair": f"gradients.{name}",
                "dtype": dtype,
                "g": in_hex(g),
                **more,
                "settings": in_hex(settings),
                "g_after": in_hex(after),
            }


def randoms():
    for seed, stream, epoch in ((1, 2, 3), (2**64 - 1, 0, 7)):
        of = {"seed": seed, "stream": stream, "epoch": epoch, "dtype": "float64"}
        yield {"function": "words", **of, "words": [hex(int(word)) for word in random.words(seed, stream, epoch, 8)]}
        yield {"pair": "random.uniform", **of, "count": 8, "x": in_hex(random.uniform(seed, stream, epoch, 8))}
        yield {"function": "normal", **of, "x": in_hex(random.normal(seed, stream, epoch, 40))}
        order = random.permutation(seed, epoch, 101).tolist()
        yield {
            "pair": "random.permutation",
            "seed": seed,
            "epoch": epoch,
            "dtype": "float64",
            "count": 101,
            "order": order,
        }
    for init in ("he_normal", "he_uniform", "glorot_normal", "glorot_uniform", 0.5):
        w = random.initial_weights(1, 0, 3, 4, init)
        yield {"function": "initial_weights", "dtype": "float64", "seed": 1, "layer": 0, "init": init, "w": in_hex(w)}
    for rate in (0.2, 0.5):
        threshold, kept = random.dropout_numbers(rate)
        factors = random.dropout_factors(1, 2, 1, [0, 1, 5], 6, threshold, kept)
        yield {
            "function": "dropout_factors",
            "dtype": "float64",
            "rate": rate,
            "seed": 1,
            "stream": 2,
            "epoch": 1,
            "places": [0, 1, 5],
            "factors": in_hex(factors),
        }
    yield {"function": "bootstrap", "seed": 1, "member": 2, "rows": splits.bootstrap(10, member=2, seed=1).tolist()}
    groups = [0, 0, 0, 1, 1, 1, 1]
    held = [held.tolist() for _, held in splits.folds(np.array(groups), 3, seed=1)]
    yield {"function": "folds", "groups": groups, "folds": 3, "seed": 1, "held_out": held}
    held = splits.split(np.array(groups), 0.3, 1)[1].tolist()
    yield {"function": "split", "groups": groups, "fraction": 0.3, "seed": 1, "held_out": held}


def whole_trainings():
    for entry in TRAININGS:
        print(f"{entry['name']}, {entry['dtype']}", file=sys.stderr)
        results, _ = trainings.run(entry, "reference")
        yield {**entry, "results": results}


MAKERS = dict(zip(FILES, (functions, layers, randoms, whole_trainings), strict=True))
ABOUT = {
    "functions": "elementary functions at hard arguments, fma, sums over rows, functions of learning rates",
    "layers": "dense layers, activations, losses (dz and a row's loss), three updates by each optimizer, gradients",
    "random": "words, uniform and normal numbers, permutations, initial weights, dropout, samples, folds",
    "trainings": "whole trainings: losses of epochs, and SHA-256 of parameters and outputs",
}


def text(name):
    """A file: one entry a line."""
    with np.errstate(all="ignore"):
        entries = ",\n".join(json.dumps(entry) for entry in MAKERS[name]())
    return f'{{"numerics": {NUMERICS_VERSION}, "about": {json.dumps(ABOUT[name])},\n"entries": [\n{entries}\n]}}\n'


def main(arguments):
    check = arguments[:1] == ["--check"]
    names = arguments[check:] or list(FILES)
    unknown = [name for name in names if name not in FILES]
    if unknown:
        sys.exit(f"there is no file {', '.join(unknown)}: use {', '.join(FILES)}")
    differ = []
    for name in names:
        path, made = FOLDER / f"{name}.json", text(name)
        if not check:
            path.write_text(made, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != made:
            differ.append(path.name)
    size = sum(path.stat().st_size for path in FOLDER.glob("*.json"))
    print(
        f"{len(names) - len(differ)} of {len(names)} files are what the reference makes" if check else f"{size:,} bytes"
    )
    if differ or size > MOST:
        sys.exit(f"these differ: {', '.join(differ)}" if differ else f"that is more than {MOST:,}: take fewer numbers")


if __name__ == "__main__":
    main(sys.argv[1:])
