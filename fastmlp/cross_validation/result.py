"""`CrossValidation`: the scores, histories and predictions of all folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.checks.arrays import counted
from fastmlp.checks.messages import lacks
from fastmlp.history import History, losses_of
from fastmlp.model import Model
from fastmlp.sweep import Result
from fastmlp.views import html

MOST_SHOWN = 20  # folds in a notebook


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """What `cross_validate` returns.

    Attributes
    ----------
    scores : dict of str to ndarray of shape (F,), float64
        The scores of each fold's held-out rows. NaN where the fold's training diverged.
    folds : list of (ndarray, ndarray)
        Row numbers of each fold: those trained on, and those held out.
    results : list of Result
        What became of each fold's model: state, reason, history, digest, model.
    predictions : ndarray of shape (N,) or (N, J), or None
        For each row, what the model of the fold that held it out predicts. None where a fold diverged, or rows are held
        out never or several times.
    probabilities : ndarray of shape (N, J) or None
        The same of the probabilities, for classifiers.
    """

    scores: dict[str, np.ndarray]
    folds: list[tuple[np.ndarray, np.ndarray]]
    results: list[Result]
    predictions: np.ndarray | None
    probabilities: np.ndarray | None

    def __len__(self) -> int:
        return len(self.folds)

    def __repr__(self) -> str:
        told = [f"{name} {values.mean():.4g} +- {values.std():.2g}" for name, values in self.scores.items()]
        return f"CrossValidation({counted(len(self), 'fold')}: {', '.join(told)})"

    def _repr_html_(self) -> str:
        rows = [
            [number, *(f"{values[number]:.4g}" for values in self.scores.values()), found.epochs, found.state]
            for number, found in enumerate(self.results[:MOST_SHOWN])
        ]
        more = f"... and {len(self) - MOST_SHOWN} more" if len(self) > MOST_SHOWN else ""
        about = repr(self).removeprefix("CrossValidation(").removesuffix(")")
        shown = html.table(("fold", *self.scores, "epochs", "state"), rows)
        curves = losses_of(self.histories[:MOST_SHOWN])
        return html.block(html.heading("CrossValidation", about), shown, more, curves)

    @property
    def scoring(self) -> str:
        """The name of the first score."""
        return next(iter(self.scores))

    @property
    def mean(self) -> float:
        """The mean of the first score over folds; NaN where one diverged."""
        return float(self.scores[self.scoring].mean())

    @property
    def std(self) -> float:
        """The standard deviation of the first score over folds, the sum of squares divided by their number."""
        return float(self.scores[self.scoring].std())

    @property
    def models(self) -> list[Model]:
        """The folds' models. `Ensemble.of(result.models)` predicts with all of them."""
        return [found.model for found in self.results if found.model is not None]

    @property
    def histories(self) -> list[History]:
        """The histories of the folds' trainings."""
        return [found.history for found in self.results]

    def to_dict(self) -> dict[str, list[Any]]:
        """Returns a table with a row for each fold.

        Returns
        -------
        dict of str to list
            "fold"; the scores; "train_loss", of the last record; "epochs", "seconds", "state", "reason" and "digest".
        """
        names = {"train_loss": "loss", **{name: name for name in ("epochs", "seconds", "state", "reason", "digest")}}
        columns = {name: [getattr(found, of) for found in self.results] for name, of in names.items()}
        scores = {name: values.tolist() for name, values in self.scores.items()}
        return {"fold": list(range(len(self))), **scores, **columns}

    def to_pandas(self) -> Any:
        """Returns the table as a frame of pandas.

        Returns
        -------
        pandas.DataFrame
            The columns of `to_dict`, with a row for each fold.

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
