"""What became of each model: `Result`; and all of them as a table: `SweepResult`."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastmlp.checks.arrays import counted
from fastmlp.checks.messages import cut, either, lacks
from fastmlp.history import History, losses_of
from fastmlp.stopping import METRICS, higher_is_better
from fastmlp.sweep import plots
from fastmlp.sweep.points import Point, column_of
from fastmlp.views import html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastmlp.model import Model

STATES = TRAINED, DIVERGED, FAILED, NOT_RUN = "trained", "diverged", "failed", "not run"
COLUMNS = (
    "state", "loss", "accuracy", "validation_loss", "validation_accuracy", "epochs", "best_epoch", "stopped",
    "seconds", "parameters", "digest", "reason",
)  # fmt: skip
SHOWN_ROWS = 20
WIDE = 32  # characters of a value


@dataclass(repr=False)
class Result:
    """What became of one model.

    Attributes
    ----------
    number : int
        Its place in the sweep, from 0.
    point : dict
        Its coordinates: the values of the names that were swept.
    state : str
        "trained"; "diverged", with the weights of the last finite record; "failed", with a reason; or "not run", if the
        sweep was interrupted.
    reason : str or None
        Why it failed or diverged: the message of the error.
    history : History
        The records. Empty if it did not run.
    model : Model or None
        The model; None if it was not kept, or could not be made.
    digest : str or None
        `Model.digest()` of the trained model.
    parameters : int or None
        The number of its parameters.
    restored : bool
        Whether the model has the weights of `history.best_epoch`, and not those of the last epoch.
    together : int
        With how many models, itself included, it was trained in the lanes of registers; 1 if it was trained alone. No
        column of the table, since it depends on the engine, and nothing else in a result does but the seconds.
    """

    number: int
    point: Point
    state: str = NOT_RUN
    reason: str | None = None
    history: History = field(default_factory=History)
    model: Model | None = None
    digest: str | None = None
    parameters: int | None = None
    restored: bool = False
    together: int = 1

    def __repr__(self) -> str:
        figures = [f"{name} {getattr(self, name):.4g}" for name in METRICS if math.isfinite(getattr(self, name))]
        why = [self.reason] if self.reason else []
        return f"Result({', '.join([f'{self.number}: {self.point}', self.state, *figures, *why])})"

    def _repr_html_(self) -> str:
        about = repr(self).removeprefix("Result(").removesuffix(")")
        return html.block(html.heading("Result", about), self.history._repr_html_())

    @property
    def loss(self) -> float:
        """The loss of the record that belongs to the model's weights; NaN without records."""
        return self._figure("loss")

    @property
    def accuracy(self) -> float:
        """The accuracy of that record; NaN without labels."""
        return self._figure("accuracy")

    @property
    def validation_loss(self) -> float:
        """The validation loss of that record; NaN without validation."""
        return self._figure("validation_loss")

    @property
    def validation_accuracy(self) -> float:
        """The validation accuracy of that record; NaN without validation or labels."""
        return self._figure("validation_accuracy")

    @property
    def epochs(self) -> int:
        """The number of the last recorded epoch; 0 without records."""
        return int(self.history.epoch[-1]) if len(self.history) else 0

    @property
    def best_epoch(self) -> int | None:
        """The epoch that early stopping found best."""
        return self.history.best_epoch

    @property
    def stopped(self) -> str | None:
        """Why training ended before its last epoch."""
        return self.history.stopped

    @property
    def seconds(self) -> float:
        """How long the training took. Models that are trained together share their time."""
        return self.history.seconds

    def _figure(self, name: str) -> float:
        if not len(self.history):
            return math.nan
        column = getattr(self.history, name)
        if self.restored and self.best_epoch is not None:
            there = self.history.epoch == self.best_epoch
            return float(column[there][0]) if there.any() else math.nan
        return float(column[-1])


class SweepResult(Sequence[Result]):
    """The results of a sweep, in the order of its points: a sequence of `Result`, and a table.

    Parameters
    ----------
    results : sequence of Result
        The results.

    Attributes
    ----------
    results : list of Result
        The results.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = list(results)

    @property
    def points(self) -> list[Point]:
        """The coordinates of each point."""
        return [result.point for result in self.results]

    @property
    def models(self) -> list[Model | None]:
        """The models; None for those that were not kept, or could not be made."""
        return [result.model for result in self.results]

    @property
    def histories(self) -> list[History]:
        """The history of each model."""
        return [result.history for result in self.results]

    @property
    def failures(self) -> list[Result]:
        """The results that diverged or failed."""
        return [result for result in self.results if result.state in (DIVERGED, FAILED)]

    @property
    def metric(self) -> str:
        """The metric that `best` looks at by default: "validation_loss" if there was validation, else "loss"."""
        validated = any(math.isfinite(result.validation_loss) for result in self.results)
        return "validation_loss" if validated else "loss"

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, place: Any) -> Any:
        return SweepResult(self.results[place]) if isinstance(place, slice) else self.results[place]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def best(self, metric: str | None = None) -> Result:
        """Returns the best of the trained models.

        Parameters
        ----------
        metric : str or None, default=None
            "loss", "accuracy", "validation_loss" or "validation_accuracy". None is "validation_loss" if there was
            validation, else "loss".

        Returns
        -------
        Result
            Of equal ones, the first in the order of the points. Models that diverged or failed are never best, nor is
            one whose figure is NaN. There is a warning if losses of different kinds, or losses to train on with
            different class weights, are compared.

        Raises
        ------
        ValueError
            If there is no such metric, or no model has it.
        """
        metric = self.metric if metric is None else _metric_name(metric)
        sign = -1 if higher_is_better(metric) else 1
        found = [(sign * getattr(result, metric), result.number, result) for result in self if result.state == TRAINED]
        found = [one for one in found if math.isfinite(one[0])]
        if not found:
            raise ValueError(f"no model has a {metric}: {self._why_none(metric)}")
        several = [result for _, _, result in found]
        weighed = metric == "loss" and len({repr(result.point.get("class_weight")) for result in several}) > 1
        if weighed or (metric.endswith("loss") and _losses_differ(several)):
            kinds = "losses or class weights" if weighed else "losses"
            warnings.warn(
                f"{metric} is compared between models of different {kinds}, which says little: compare the best of "
                "each, or a figure that they all have",
                stacklevel=2,
            )
        return min(found, key=lambda one: one[:2])[2]

    def _why_none(self, metric: str) -> str:
        trained = sum(result.state == TRAINED for result in self)
        if trained:
            needs = "validation=(X, y) or a fraction" if metric.startswith("validation") else "labels"
            return f"{counted(trained, 'model')} trained without one, which takes {needs}"
        first = next((result for result in self if result.reason), None)
        because = f"; of point {first.number}: {cut(first.reason or '', 200)}" if first else ""
        return f"{self._states()}{because}"

    def to_dict(self) -> dict[str, list[Any]]:
        """Returns the table as plain lists, which `json.dumps` accepts.

        Returns
        -------
        dict of str to list
            A column for each name that was swept, then "state", "loss", "accuracy", "validation_loss",
            "validation_accuracy", "epochs", "best_epoch", "stopped", "seconds", "parameters", "digest" and "reason".
            A swept name that is one of these, as "loss", is called "given_loss". Values that JSON has not are text, and
            None stands for numbers that are not finite.
        """
        names = list(dict.fromkeys(name for result in self for name in result.point))
        table = {
            f"given_{name}" if name in COLUMNS else name: [_json(result.point.get(name)) for result in self]
            for name in names
        }
        return {**table, **{name: [_json(getattr(result, name)) for result in self] for name in COLUMNS}}

    def to_pandas(self) -> Any:
        """Returns the table as a frame of pandas.

        Returns
        -------
        pandas.DataFrame
            The columns of `to_dict`, with a row for each point.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(lacks("to_pandas needs", "pandas")) from error
        return pandas.DataFrame(self.to_dict())

    def plot(self, path_or_axes: Any = None, *, x: str | None = None, metric: str | None = None) -> Figure:
        """Plots a metric over a name that was swept; the points that failed or diverged are crosses at the top.

        Parameters
        ----------
        path_or_axes : path, matplotlib Axes or None, default=None
            A file to write, whose suffix gives the format; or axes to draw into. None makes a new figure.
        x : str or None, default=None
            The name on the horizontal axis. None is the first name that has several values.
        metric : str or None, default=None
            The metric, as in `best`.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If a name is not known.

        Notes
        -----
        Points that differ in `x` alone are joined by a line. An axis is logarithmic where its values are positive and
        span more than two decades; what is four decades above the best leaves the picture.
        """
        metric = self.metric if metric is None else _metric_name(metric)
        return plots.plot(self, path_or_axes, x, metric)

    def _states(self) -> str:
        """'24 points: 22 trained, 2 diverged'."""
        found = Counter(result.state for result in self)
        parts = ", ".join(f"{found[state]} {state}" for state in STATES if found[state])
        return f"{counted(len(self), 'point')}: {parts}" if parts else "no points"

    def __repr__(self) -> str:
        return f"SweepResult({self._states()})"

    def _ranked(self) -> list[Result]:
        """The results, the best first."""
        metric, sign = self.metric, -1 if higher_is_better(self.metric) else 1

        def rank(result: Result) -> tuple[bool, float, int]:
            figure = getattr(result, metric)
            good = result.state == TRAINED and math.isfinite(figure)
            return not good, sign * figure if good else 0.0, result.number

        return sorted(self, key=rank)

    def _lines(self) -> list[list[str]]:
        """The table, the best first: a header and at most 20 rows. No seconds: equal sweeps have equal texts."""
        rows = self._ranked()
        names = list(dict.fromkeys(name for result in self for name in result.point))
        figures = [name for name in METRICS if any(math.isfinite(getattr(result, name)) for result in self)]
        header = ["", *names, *figures, "epochs", ""]
        lines = [header]
        columns = [column_of((result.point.get(name, "") for result in rows[:SHOWN_ROWS]), WIDE) for name in names]
        for place, result in enumerate(rows[:SHOWN_ROWS]):
            values = [column[place] for column in columns]
            told = [f"{getattr(result, name):.4g}" for name in figures]
            note = "" if result.state == TRAINED else result.state
            lines.append([str(result.number), *values, *told, str(result.epochs), note])
        return lines

    def _more(self) -> str:
        """What follows the table."""
        return f"... and {len(self) - SHOWN_ROWS} more" if len(self) > SHOWN_ROWS else ""

    def __str__(self) -> str:
        """The table in text."""
        lines = self._lines()
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        text = [
            "  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        return "\n".join([self._states(), *text, *filter(None, [self._more()])])

    def _repr_html_(self) -> str:
        header, *rows = self._lines()
        shown = [result.history for result in self._ranked()[:SHOWN_ROWS] if result.state == TRAINED]
        return html.block(
            html.heading("SweepResult", self._states()),
            html.table(header, rows),
            self._more(),
            losses_of(shown, ranked=True),
        )


def _losses_differ(results: Sequence[Result]) -> bool:
    """Whether models have different losses; of models that were not kept, whether their points say so."""
    specs = [result.model.spec for result in results if result.model is not None]
    if len(specs) == len(results):
        return len({(spec.loss, spec.loss_parameter) for spec in specs}) > 1
    return len({tuple(repr(result.point.get(name)) for name in ("output", "loss")) for result in results}) > 1


def _metric_name(metric: Any) -> str:
    """The name of a metric. Raises ValueError."""
    if metric not in METRICS:
        raise ValueError(f"metric={metric!r:.60} is not known: use {either(METRICS)}")
    return str(metric)


def _json(value: Any) -> Any:
    """A value as JSON has it; text for one that it has not."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_json(one) for one in value]
    return repr(value)
