"""`run`: a study of learning rate, initialisation, depth and width; `Study`: its table, sentences and figure."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks import scalars
from fastmlp.checks.arrays import counted, numeric_array
from fastmlp.checks.messages import either, shown
from fastmlp.core import data
from fastmlp.engine.initial_weights import check_init, check_seed
from fastmlp.spec import activation
from fastmlp.study import figure
from fastmlp.study.cases import Case, Plan, same
from fastmlp.study.datasets import DATASETS, named
from fastmlp.study.runs import COLUMNS, DEFINITIONS, Run
from fastmlp.study.sentences import sentences
from fastmlp.study.table import table
from fastmlp.study.words import listed, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUICK: dict[str, Any] = {
    "rates": (0.01, 0.1, 1.0, 10.0),
    "depths": (0, 1, 2, 4, 6),
    "widths": (1, 2, 8),
    "seeds": 3,
    "epochs": 500,
}
WIDTH = 100  # columns of the sentences in text
OWN = "your data"  # as sentences call X and y


class Study:
    """What `fastmlp.study.run` returns: printed, it is a table and sentences.

    Parameters
    ----------
    cases : list of Case
        The data sets, and the runs on each.

    Attributes
    ----------
    cases : list of Case
        The data sets, and the runs on each.
    """

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = list(cases)

    @property
    def runs(self) -> list[Run]:
        """All networks, and what became of them."""
        return [run for case in self.cases for run in case.runs]

    @property
    def sentences(self) -> list[str]:
        """What is seen, computed from the runs."""
        return [sentence for case in self.cases for sentence in sentences(case)]

    @property
    def table(self) -> str:
        """The tables of all data sets, in text."""
        return "\n\n".join(table(case) for case in self.cases)

    @property
    def definitions(self) -> str:
        """What the words of the sentences mean."""
        goals = listed([percent(goal) for goal in dict.fromkeys(case.plan.goal for case in self.cases)])
        return textwrap.fill(DEFINITIONS.format(goal=goals), WIDTH)

    def to_dict(self) -> dict[str, Any]:
        """Returns the study as plain lists and numbers, which `json.dumps` accepts.

        Returns
        -------
        dict
            "sentences"; "definitions", of their words; "runs", with a list for each column, as the attributes of a run;
            and "cases", with the plan, the learning rate and the loss of guessing of each data set. None stands for
            numbers that are not finite.
        """
        columns = {name: [_plain(getattr(run, name)) for run in self.runs] for name in COLUMNS}
        cases = [
            {
                "dataset": case.name,
                "rows": len(case.y),
                "rate": case.rate,
                "guess": case.guess,
                **{name: _plain(value) for name, value in dataclasses.asdict(case.plan).items()},
            }
            for case in self.cases
        ]
        return {"cases": cases, "sentences": self.sentences, "definitions": self.definitions, "runs": columns}

    def plot(self, path: Any = None) -> Figure:
        """Draws losses by learning rate, what depths, rates and initialisations came to, widths, and what was learned.

        Parameters
        ----------
        path : path or None, default=None
            A file to write, whose suffix gives the format (.png, .svg, .pdf). None writes none.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Notes
        -----
        No display is needed. Decision surfaces are drawn for data of two features.
        """
        return figure.plot(self.cases, path)

    def __repr__(self) -> str:
        parts = []
        for case in self.cases:
            parts += [table(case), "\n".join(_item(sentence) for sentence in sentences(case))]
        return "\n\n".join([*parts, self.definitions])


def _item(sentence: str) -> str:
    """A sentence in lines, as an item of a list; no line begins with '%'."""
    text = f"- {sentence}".replace(" %", "_%")
    return textwrap.fill(text, WIDTH, subsequent_indent="  ").replace("_%", " %")


def run(
    X: Any = None,
    y: Any = None,
    *,
    rates: Iterable[float] | None = None,
    depths: Iterable[int] | None = None,
    inits: Iterable[Any] | None = None,
    widths: Iterable[int] | None = None,
    seeds: int | None = None,
    epochs: int | None = None,
    hidden: str = "relu",
    goal: float | None = None,
    seed: int = 0,
    quick: bool = False,
    name: str = OWN,
    threads: int | None = None,
    progress: bool | None = None,
) -> Study:
    """Trains networks that differ in learning rate, initialisation, depth and width, and says what is seen.

    Parameters
    ----------
    X : str, list of str, array of shape (N, K) or None, default=None
        "xor", "circles" or "spirals", or several of them; or your own features, standardised. None is all three.
    y : array of shape (N,) or None, default=None
        The labels of your own rows: numbers or text.
    rates : list of float or None, default=None
        Learning rates. None is 0.001 to 10, in eight steps.
    depths : list of int or None, default=None
        Numbers of hidden layers. None is 0 to 6.
    inits : list or None, default=None
        Initial weights, as `init` of `Model`: a name or a standard deviation. None is zeros (0), tiny (0.01),
        "glorot_normal", "he_normal" and too large (3).
    widths : list of int or None, default=None
        Sizes of the hidden layers. None is 1, 2, 4, 8 and 16.
    seeds : int or None, default=None
        How many runs there are of each, with different initial weights. None is 5.
    epochs : int or None, default=None
        Steps of gradient descent over all rows. None is 2000.
    hidden : str, default="relu"
        The activation of the hidden layers.
    goal : float or None, default=None
        The fraction of the rows that a network which has solved the task predicts right. None is 0.95.
    seed : int, default=0
        The first seed of the initial weights; also that of the three data sets.
    quick : bool, default=False
        Whether to try less where nothing is given: 4 rates, 5 depths, 3 widths, 3 runs each, 500 steps.
    name : str, default="your data"
        What the sentences call your own data.
    threads : int or None, default=None
        The number of threads. Results do not depend on it.
    progress : bool or None, default=None
        Whether to show progress bars. None shows them on a terminal, after a second.

    Returns
    -------
    Study
        Printed, it is a table and what is seen. `plot(path)` draws it, `to_dict()` has every run.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; the error names it.
    KeyboardInterrupt
        On Ctrl-C.

    Notes
    -----
    Gradient descent without momentum, all rows in each step. Rates are tried with each depth, with he_normal weights
    and 8 units a layer. The rate that solved the task most often is taken to try initialisations with each depth, and
    widths with 2 hidden layers.

    Examples
    --------
    >>> from fastmlp import study
    >>> found = study.run("xor", quick=True)
    >>> found.sentences[0][:56]
    'A network without hidden layers did not solve xor in any'
    """
    scalars.flag(quick, "quick")
    plan = _plan(rates, depths, inits, widths, seeds, epochs, hidden, goal, seed, quick)
    cases = [Case(called, plan, features, labels) for called, features, labels in _data(X, y, seed, name)]
    for case in cases:
        case.train(threads, progress)
    return Study(cases)


def _plan(
    rates: Any, depths: Any, inits: Any, widths: Any, seeds: Any, epochs: Any, hidden: Any, goal: Any, seed: Any,
    quick: bool,
) -> Plan:  # fmt: skip
    """What to try, checked. Raises TypeError or ValueError."""
    usual = Plan()
    less: dict[str, Any] = QUICK if quick else {}
    if not isinstance(check_seed(seed), int):
        raise TypeError(f"seed={shown(seed)} is not a whole number: a study's seed is one")
    count = scalars.positive_int(less.get("seeds", len(usual.seeds)) if seeds is None else seeds, "seeds", 1000)
    check_seed(int(seed) + count - 1)
    rates = _values(rates, "rates", less.get("rates", usual.rates), scalars.positive_float)
    depths = _values(depths, "depths", less.get("depths", usual.depths), _depth)
    widths = _values(widths, "widths", less.get("widths", usual.widths), scalars.positive_int)
    found = _values(inits, "inits", usual.inits, lambda v, n: check_init(v), ordered=False)
    depth = usual.depth if usual.depth in depths else max(depths)
    width = usual.width if usual.width in widths else max(widths)
    init = usual.init if any(same(usual.init, one) for one in found) else found[0]
    goal = usual.goal if goal is None else scalars.finite_float(goal, "goal")
    if not 0 < goal <= 1:
        raise ValueError(f"goal={shown(goal)} is no fraction of the rows: give a number above 0, up to 1")
    return Plan(
        rates=rates,
        depths=depths,
        inits=found,
        widths=widths,
        seeds=tuple(range(int(seed), int(seed) + count)),
        depth=depth,
        width=width,
        init=init,
        epochs=scalars.positive_int(less.get("epochs", usual.epochs) if epochs is None else epochs, "epochs"),
        hidden=activation(hidden),
        goal=goal,
    )


def _values(given: Any, name: str, usual: Any, check: Any, ordered: bool = True) -> tuple[Any, ...]:
    """The values of a list, each checked and once."""
    if given is None:
        return tuple(usual)
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{name}={shown(given)} is not a list: give one, like {list(usual)}")
    found: list[Any] = []
    for value in given:
        checked = check(value, name)
        if not any(same(checked, one) for one in found):
            found.append(checked)
    if not found:
        raise ValueError(f"{name} is empty: give at least one value, like {list(usual)}")
    return tuple(sorted(found)) if ordered else tuple(found)


def _depth(value: Any, name: str) -> int:
    if not isinstance(value, (bool, np.bool_)) and isinstance(value, (int, np.integer)) and not value:
        return 0
    if isinstance(value, (int, np.integer)) and value < 0:
        raise ValueError(f"{name}={shown(value)} is negative: give 0 or more")
    return scalars.positive_int(value, name, 1000)


def _data(X: Any, y: Any, seed: int, name: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(name, X, y) of each data set. Raises TypeError or ValueError."""
    if y is not None and (X is None or isinstance(X, str)):
        raise ValueError("y is given without X: give the features, too, or the name of a data set alone")
    if X is None:
        X = list(DATASETS)
    wanted = [X] if isinstance(X, str) else X
    if isinstance(wanted, (list, tuple)) and wanted and all(isinstance(one, str) for one in wanted) and y is None:
        return [(one, *named(one, seed)) for one in dict.fromkeys(wanted)]
    if y is None:
        raise ValueError(
            f"X is given without y: give the labels, too, or the name of a data set, {either(tuple(DATASETS))}"
        )
    if not isinstance(name, str) or not name.strip():
        raise TypeError(f"name={shown(name)} is not a text: say what sentences shall call your data")
    features = data.matrix(X)
    labels = _labels(y, len(features))
    return [(name, features, labels)]


def _labels(y: Any, rows: int) -> np.ndarray:
    """The labels as 0, 1, ... (N,)."""
    given = np.asarray(y)
    if given.dtype.kind == "O" and all(isinstance(label, str) for label in given.ravel().tolist()):
        given = given.astype(str)
    if given.dtype.kind not in "US":
        given = numeric_array(y, "y")
    if given.ndim != 1:
        given = given.reshape(len(given), -1)
        if given.shape[1] != 1:
            raise ValueError(f"y has {given.shape[1]} columns: a study takes one label for each row")
        given = given[:, 0]
    if len(given) != rows:
        raise ValueError(f"X has {counted(rows, 'row')} and y has {len(given)}: give one label for each row")
    if given.dtype.kind == "f" and not (np.isfinite(given).all() and (given == np.floor(given)).all()):
        raise ValueError(
            "y has numbers that are not whole: a study is about classes; for quantities, use fastmlp.sweep"
        )
    classes, labels = np.unique(given, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("y is the same in every row: there is nothing to tell apart")
    if len(classes) > max(20, rows // 2):
        raise ValueError(f"y has {len(classes)} different values in {rows} rows: a study is about classes")
    return labels.reshape(rows)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value
