"""Random models trained together against the same models trained alone, bit for bit.

    python tests/long/fuzz_together.py --count 300 --seed 1

Networks, rows, options and partners are drawn; the models are trained by `train_many` or `train_together`, in groups
that pay or in all that can be, in any order, with 1 to 3 threads. Each is compared with a twin that `Model.fit` trains:
digest, records, how it ended, the optimizer's state, the seed; and again after a fit that goes on. Prints counts, and
ends with 1 at the first difference.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
from models import figures, inside
from trainings import OUTPUTS

from fastmlp import SGD, Adagrad, Adam, AdamW, DivergenceError, EarlyStopping, Model, RMSprop
from fastmlp.fit import lanes, together
from fastmlp.fit.options import FitOptions
from fastmlp.schedules import Cosine, Exponential, InverseScaling, OneCycle, ReduceOnPlateau, Step, WarmUp
from fastmlp.spec import HIDDEN
from fastmlp.sweep import Each, train_many

USUAL = {field.name: field.default for field in fields(FitOptions)}
WILD = (0.0, -0.0, 1.0, 5e-324, 1e-310, 1e-45, 1e-38, 1e300, 1e308, -1e308, 1e38, -3e38, 1e154, 1e19)


def pick(rng, *choices):
    """One of them, as it is."""
    return choices[rng.integers(len(choices))]


def draw_spec(rng):
    """Arguments of Model, but for the seed."""
    output, loss = pick(rng, *OUTPUTS)
    depth = int(rng.integers(0, 5))
    layers = [int(n) for n in np.exp(rng.uniform(0, np.log(41), depth + 2))]
    layers[-1] = int(rng.integers(1 + (output == "softmax"), 6)) if rng.random() < 0.9 else max(2, layers[-1])
    hidden = [str(name) for name in rng.choice(HIDDEN, depth)]
    dtype = pick(rng, "float64", "float32")
    return {"layers": layers, "hidden": hidden, "output": output, "loss": loss, "dtype": dtype}


def draw_rows(rng, spec, count, wild):
    """X and y of one network."""
    x = rng.standard_normal((count, spec["layers"][0]))
    if wild:
        most = float(np.finfo(spec["dtype"]).max)
        mask = rng.random(x.shape) < 0.2
        x[mask] = np.clip(rng.choice(WILD, int(mask.sum())), -most, most)
    outputs = spec["layers"][-1]
    y = {
        "softmax": lambda: rng.integers(0, outputs, count),
        "sigmoid": lambda: rng.integers(0, 2, (count, outputs)).astype(float),
        "identity": lambda: rng.standard_normal((count, outputs)),
        "exponential": lambda: rng.integers(0, 4, (count, outputs)).astype(float),
    }[spec["output"]]()
    return x, y


def draw_rate(rng, wild, watched):
    """A learning rate that works, or one of those that do not."""
    if wild and rng.random() < 0.3:
        return float(pick(rng, 1e30, 1e200, 1e10, 1e-300, 1e-30, 50.0))
    base = float(pick(rng, 0.01, 0.1, 0.3, 0.7))
    schedules = (
        lambda: Cosine(base, epochs=4), lambda: Step(base, every=2, factor=0.5), lambda: OneCycle(base, epochs=6),
        lambda: Exponential(base, 0.8), lambda: WarmUp(2, InverseScaling(base)),
    )  # fmt: skip
    drawn = rng.random()
    if drawn < 0.6:
        return base
    if watched and drawn < 0.8:
        return ReduceOnPlateau(base, patience=0, factor=0.5, min_delta=0.01)
    return pick(rng, *schedules)()


def draw_optimizer(rng, rate):
    """An optimizer; each has numbers of its own."""
    u = float(rng.uniform(0.1, 0.95))
    return pick(
        rng, SGD(rate), SGD(rate, momentum=u), SGD(rate, momentum=u, nesterov=True), Adam(rate, beta_1=u),
        AdamW(rate, weight_decay=u / 10), RMSprop(rate, decay=u), Adagrad(rate, initial_accumulator=u / 10),
    )  # fmt: skip


def draw_family(rng, spec, count, x, y, wild):
    """Options that many members share, so that they come into one group."""
    rows = count
    batch = pick(rng, None, None, 1, 2, 3, 7, 8, 16, 32, 33, rows, rows + 5, max(1, rows - 1))
    if batch == 1 and rows > 60:
        batch = 5
    common = {"epochs": int(rng.integers(1, 9)), "batch_size": batch, "shuffle": bool(rng.random() < 0.75)}
    if rng.random() < 0.4:
        common["record_every"] = int(rng.integers(1, 5))
    if rng.random() < 0.25:
        held = draw_rows(rng, spec, int(rng.integers(1, 20)), False)
        common["validation"] = pick(rng, held, held, 0.2) if rows >= 30 else held
    watched = "validation" in common or rng.random() < 0.15
    if watched and rng.random() < 0.6:
        common["early_stopping"] = EarlyStopping(int(rng.integers(1, 3)), best_weights=bool(rng.random() < 0.5))
    drawn = rng.random()
    if drawn < 0.05:
        common["clip_norm"] = 0.3
    elif drawn < 0.1:
        common["clip_value"] = 0.05
    elif drawn < 0.15 and spec["hidden"]:
        common["dropout"] = 0.3
    elif drawn < 0.2:
        common["sample_weight"] = rng.integers(0, 3, len(x)) / 2 + 0.5
    return common, watched


def draw_member(rng, spec, common, watched, wild, kind):
    """Options of one model."""
    options = dict(common)
    rate = draw_rate(rng, wild, watched)
    options["optimizer"] = draw_optimizer(rng, rate) if kind is None else kind(rate, float(rng.uniform(0.1, 0.95)))
    for name in ("l2", "l1"):
        if rng.random() < 0.2:
            options[name] = float(pick(rng, 0.01, 0.1, 1e-310, 0.001))
    if rng.random() < 0.2:
        options["target_loss"] = float(pick(rng, rng.uniform(0, 2), 1e-300, 0.69))
    if spec["output"] in ("softmax", "sigmoid") and rng.random() < 0.15:
        options["target_accuracy"] = float(pick(rng, rng.random(), 1.0, 0.5))
    if rng.random() < 0.1:
        options["epochs"] = int(rng.integers(1, 12))
    return options


KINDS = (
    None, lambda rate, u: SGD(rate), lambda rate, u: SGD(rate, momentum=u), lambda rate, u: Adam(rate, beta_1=u),
    lambda rate, u: Adam(rate), lambda rate, u: AdamW(rate, weight_decay=u / 10),
    lambda rate, u: RMSprop(rate, decay=u), lambda rate, u: Adagrad(rate, initial_accumulator=u / 10),
    lambda rate, u: SGD(rate, momentum=u, nesterov=True),
)  # fmt: skip


class Asked:
    """A model and what it is trained with, so that it can be made as often as one likes."""

    def __init__(self, spec, seed, first, options, x, y, rows):
        self.spec, self.seed, self.first, self.options = spec, seed, first, options
        self.x, self.y, self.rows = x, y, rows

    def model(self):
        """A new one, that has perhaps been trained alone for some epochs."""
        made = Model(**self.spec, seed=self.seed() if callable(self.seed) else self.seed)
        if self.first:
            self.fit(made, epochs=self.first)
        return made

    def chosen(self, options):
        """X, y and options of `Model.fit` on the rows."""
        if self.rows is None:
            return self.x, self.y, options
        weights = options.get("sample_weight")
        own = {} if weights is None else {"sample_weight": weights[self.rows]}
        return self.x[self.rows], self.y[self.rows], {**options, **own}

    def fit(self, model, **others):
        """Trains it alone. -> how it ended."""
        x, y, options = self.chosen({**self.options, **others})
        return outcome(lambda: model.fit(x, y, threads=1, progress=False, **options))


def outcome(call):
    """The kind and words of what a call raises, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except (DivergenceError, ValueError, TypeError, RuntimeError) as error:
            return type(error).__name__, str(error)
    return None


def told(model):
    """All that a training leaves, as values that can be compared."""
    found, history = inside(model), model.history
    run = model._network.run
    if run is not None and run.not_resumable_because:
        found[-1] = found[-1][:4]  # the optimizer's state is of no use then, and in no defined state
    if history is None:
        return found, None
    return found, figures(history), history.stopped, history.best_epoch


def draw(rng):
    """Some models, and what each is trained with."""
    spec, wild = draw_spec(rng), bool(rng.random() < 0.3)
    count = int(pick(rng, 1, 2, 3, 5, 8, 17, 30, 40, 64, 100, 129))
    x, y = draw_rows(rng, spec, count, wild and rng.random() < 0.5)
    some = int(pick(rng, count, max(1, count - 1), min(count, 31)))
    common, watched = draw_family(rng, spec, some, x, y, wild)
    kind, picked, resumed = pick(rng, *KINDS), rng.random() < 0.4, bool(rng.random() < 0.25)
    asked = []
    for _ in range(int(rng.integers(1, 14))):
        seed = int(pick(rng, rng.integers(2**31), rng.integers(2**31), 2**63 + int(rng.integers(1000)), 2**64 - 1, 0))
        if rng.random() < 0.05:
            number, sort = seed % 2**32, pick(rng, np.random.RandomState, np.random.default_rng)
            seed = lambda number=number, sort=sort: sort(number)  # noqa: E731
        rows = rng.integers(0, count, some) if picked and rng.random() < 0.8 else None
        options = draw_member(rng, spec, common, watched, wild, kind)
        own = dict(spec)
        if not wild and rng.random() < 0.1:
            own["dtype"] = pick(rng, "float64", "float32")
        first = int(rng.integers(1, 5)) if resumed and rng.random() < 0.9 else 0
        asked.append(Asked(own, seed, first, options, x, y, rows))
    return asked


THREADS = 3
ALL_REFUSED = object()


def train(rng, asked, models, again, most):
    """Trains them together. -> (how each ended, how many were in one group at most)."""
    threads = min(int(rng.integers(1, THREADS + 1)), most)
    lanes.force, least = bool(rng.random() < 0.8), together.SHORT_WORK
    together.SHORT_WORK = int(pick(rng, 0, 0, least))
    order = rng.permutation(len(asked))
    ended = [None] * len(asked)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not any(one.first for one in asked) and not again and rng.random() < 0.3:
                names = sorted({name for one in asked for name in one.options})
                plain = [{**USUAL, **one.options} for one in (asked[k] for k in order)]
                values = {name: Each([one[name] for one in plain]) for name in names}
                rows = [asked[k].rows for k in order]
                rows = None if all(one is None for one in rows) else Each(rows)
                y = Each([asked[k].y for k in order])
                try:
                    found = train_many([models[k] for k in order], asked[0].x, y, rows=rows, threads=threads, **values)
                except (TypeError, ValueError):  # it raises where no model can be trained
                    return [ALL_REFUSED] * len(order), 1
                for k, one in zip(order, found, strict=True):
                    ended[k] = one.reason
                return ended, max(one.together for one in found)
            jobs = []
            for k in order:
                one = asked[k]
                resume = models[k]._network.run is not None and (bool(one.first) or again)
                options = FitOptions.of({**USUAL, **one.options, "resume": resume})
                jobs.append(models[k].job(one.x, one.y, options, one.rows))
            given = jobs if rng.random() < 0.7 else iter(jobs)
            for k, error in zip(order, together.train_together(given, threads=threads), strict=True):
                ended[k] = None if error is None else (type(error).__name__, str(error))
            return ended, max(one.group for one in jobs)
    finally:
        lanes.force, together.SHORT_WORK = False, least


def same_end(one, other):
    """Whether two outcomes are one: a table's reason is the message, after its kind where that says more."""
    if one is ALL_REFUSED:
        return other is not None and other[0] in ("TypeError", "ValueError")
    if isinstance(one, str) and other is not None:
        return one in (other[1], f"{other[0]}: {other[1]}")
    return one == other


def _in_words(end, twin):
    if end is None:
        return "stopped early" if twin.history.stopped else "trained to their end"
    return f"refused: {end[1][:40]}" if end[0] == "ValueError" else f"ended with {end[0]}"


def fuzz(count, seed, seconds=None, most=THREADS):
    """-> {what: how often}. most: threads. Raises AssertionError at the first difference."""
    counts, until = Counter(), None if seconds is None else time.monotonic() + seconds
    for number in range(count):
        if until is not None and time.monotonic() > until:
            break
        rng = np.random.default_rng((seed, number))
        asked = draw(rng)
        twins, models = [one.model() for one in asked], [one.model() for one in asked]
        for again in (False, True):
            expected = [
                one.fit(twin, resume=twin._network.run is not None and (bool(one.first) or again))
                for one, twin in zip(asked, twins, strict=True)
            ]
            ended, group = None, 1
            if not again or rng.random() < 0.5:
                ended, group = train(rng, asked, models, again, most)
            else:  # together first, and then alone
                ended = [
                    one.fit(model, resume=model._network.run is not None)
                    for one, model in zip(asked, models, strict=True)
                ]
            for place, (one, model, twin) in enumerate(zip(asked, models, twins, strict=True)):
                where = f"case {number} of seed {seed}, model {place}, again={again}: {one.spec} {one.options}"
                assert same_end(ended[place], expected[place]), f"{where}: {ended[place]} is not {expected[place]}"
                assert told(model) == told(twin), where
                counts[_in_words(expected[place], twin)] += 1
            counts["in groups"] += group > 1
            counts["fits compared"] += len(asked)
        counts["cases"] += 1
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for what, times in sorted(fuzz(arguments.count, arguments.seed).items()):
        print(f"{times:8d} {what}")
    print("all bits equal")
