"""Training by "sgd" and "adam": what is asked for, and what is decided between two epochs of `fit.loop`."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastmlp.callbacks import Info, verdict
from fastmlp.checks import scalars
from fastmlp.checks.messages import shown
from fastmlp.engine import numba_backend
from fastmlp.engine.buffers import Workspace
from fastmlp.estimators import problem
from fastmlp.estimators.descent import Descent
from fastmlp.estimators.problem import Rows
from fastmlp.fit import loop, options
from fastmlp.fit.advice import ended_far_above
from fastmlp.fit.options import FitOptions
from fastmlp.history import History
from fastmlp.spec import Spec
from fastmlp.stopping import resolve_metric
from fastmlp.system.atomic import Change, copied, together
from fastmlp.training import Step, records

if TYPE_CHECKING:
    from fastmlp.estimators.transcribing import Transcriber

KEPT = 2**23  # bytes of a workspace, or as many as the parameters have: beyond, a batch takes long enough without
USUAL = FitOptions(epochs=1)
Score = Callable[[np.ndarray], tuple[float, float]]  # of parameters: the validation rows' loss, and their score


class Stochastic:
    """One call of `fit` or `partial_fit`, whose curves and counts it writes into the estimator as they come.

    score: None where nothing is validated. After `go`, `parameters` hold the result. `loop.run` sees an `Epochs`.
    """

    def __init__(
        self,
        estimator: Any,
        spec: Spec,
        parameters: np.ndarray,
        rows: Rows,
        descent: Descent,
        random_state: np.random.RandomState,
        score: Score | None,
        incremental: bool,
        transcriber: Transcriber | None = None,
    ) -> None:
        self.estimator, self.spec, self.parameters, self.rows = estimator, spec, parameters, rows
        self.descent, self.random_state, self.score = descent, random_state, score
        self.incremental, self.transcriber = incremental, transcriber
        self.epochs = 1 if incremental else int(estimator.max_iter)
        if self.epochs > scalars.LIMIT:
            raise ValueError(f"max_iter={shown(self.epochs)} is more than can be counted, {scalars.LIMIT}: give less")
        count = len(rows.x)
        self.order = np.arange(count)
        self.batch = batch_size(estimator.batch_size, count)
        self.constants = rows.constants(spec)
        self.metric = "loss"
        if descent.plateau is not None:
            self.metric = resolve_metric(descent.plateau.rule.metric, score is not None, spec.is_classifier)
            descent.plateau.watch(self.metric)
        asked = options_of(estimator, spec, self.epochs, self.batch)
        self.training = asked.training(
            epochs=self.epochs,
            learning_rate=descent.of_training,
            order=self.draw if asked.shuffle else None,
            epochs_before=descent.epochs,
            done=descent.epochs,
            optimizer=None if descent.optimizer.kernel == "gradient_descent" else descent.optimizer,
            dropout_seed=int(random_state.randint(2**31)) if asked.dropout else 0,
            objective=problem.objective(spec),
            watched=True,
        )
        callbacks = estimator.callbacks
        self.callbacks = [callbacks] if callable(callbacks) else list(callbacks or [])
        for number, callback in enumerate(self.callbacks):
            if not callable(callback):
                raise TypeError(
                    f"callbacks[{number}]={shown(callback)} is not a function: give functions that take an Info"
                )
        self.history = History()
        # what early stopping goes back to; a warm start that finds nothing better than the fits before keeps its last
        begins = estimator.early_stopping and not estimator.loss_curve_
        self.best = parameters.copy() if begins else None
        self.found_better = False  # by this call's epochs
        self.stopped: str | None = None  # why it ended before its last epoch

    def draw(self, _epoch: int) -> np.ndarray:
        """The next epoch's order: scikit-learn shuffles the last one's."""
        shuffled = np.arange(len(self.order))
        self.random_state.shuffle(shuffled)
        self.order = self.order[shuffled]
        return self.order

    def say(self, text: str) -> None:
        if self.estimator.verbose:
            print(text)

    def go(self) -> None:
        """Trains. Raises ValueError where the parameters do not stay finite, unless early stopping has better ones."""
        estimator, ended = self.estimator, False
        self.started = time.perf_counter()
        estimator.n_iter_ = 0
        rows, state = self.rows, self.descent.state
        workspace = self.kept(rows.x) if self.incremental and isinstance(rows.x, np.ndarray) else None
        steps = numba_backend.train(
            self.spec, self.parameters, rows.x, rows.y, self.training, state, rows.weights, workspace=workspace,
            staged=True,
        )  # fmt: skip
        if self.transcriber is not None:
            self.transcriber.begin(self)
        try:
            reason = loop.run(steps, self)
            self.stopped, ended = self.stopped or reason, True
            if estimator.n_iter_ == self.epochs and reason is None and not self.incremental:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({self.epochs}) reached and the optimization hasn't "
                    "converged yet. Raise max_iter, or tol",
                    ConvergenceWarning,
                    stacklevel=7,
                )
            self.warn_if_it_did_harm()
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=7)
        finally:
            if workspace:
                workspace.rows = ()  # which are the caller's
        if self.best is not None:
            self.parameters[:] = self.best
        if self.transcriber is not None and ended:
            self.transcriber.end(self)

    def warn_if_it_did_harm(self) -> None:
        losses = self.estimator.loss_curve_[-self.estimator.n_iter_ :]
        if self.best is None and len(losses) > 1 and ended_far_above(self.spec, self.rows.y, losses[0], losses[-1]):
            warnings.warn(
                f"training ended with a loss of {losses[-1]:.3g}, far above the {losses[0]:.3g} that it began with. "
                f"{problem.advice(self.spec, self.rows)}, or give a smaller learning_rate_init than "
                f"{self.estimator.learning_rate_init:g}",
                ConvergenceWarning,
                stacklevel=8,
            )

    def kept(self, x: np.ndarray) -> Workspace:
        """The workspace of the last `partial_fit`, if that was of the same kind and as many rows, or a new one."""
        rows, training = self.rows, self.training
        kind = {**training.__dict__, "order": training.order is None, "done": 0, "epochs_before": 0}
        key = self.spec, len(x), rows.weights is None, kind
        last: tuple[Any, Workspace] | None = self.estimator.__dict__.get("_kept")
        if last is not None and last[0] == key:
            return last[1]
        state = self.descent.state
        made = numba_backend.ready(self.spec, self.parameters, x, rows.y, training, state, rows.weights, once=True)
        keeps = numba_backend.can_be_kept(made, training) and made.bytes <= max(KEPT, self.parameters.nbytes)
        self.estimator._kept = (key, made) if keeps else None
        return made

    def changes(self, step: Step) -> list[Change]:
        """An epoch's: the curves, the counts, early stopping's weights, and the learning rate."""
        if step.state == "diverged":
            return []
        estimator, early = self.estimator, self.estimator.early_stopping
        (record,), parameters = step.records, step.parameters
        assert parameters is not None
        if self.training.order is not None and self.batch == len(self.order):
            self.draw(0)  # which the engine does not ask for: a batch of all rows has no order
        loss = np.float64(float(record["loss"]) + self.constant_loss())  # as scikit-learn's, which has .round
        held_loss = score = math.nan
        changes: list[Change] = [partial(estimator.loss_curve_.append, loss)]
        if self.score is not None:
            held_loss, score = self.score(parameters)
            changes.append(partial(estimator.validation_loss_curve_.append, held_loss))
            changes.append(partial(estimator.validation_scores_.append, score))
            if early and score > estimator.best_validation_score_:
                best = parameters.copy() if self.best is None else self.best
                changes += [copied(best, parameters), partial(self.__dict__.update, best=best, found_better=True)]
        accuracy = float(record["accuracy"]) if self.spec.is_classifier else math.nan
        self.seen = seen = {
            "loss": loss, "accuracy": accuracy, "validation_loss": held_loss, "validation_accuracy": score,
            "learning_rate": self.descent.learning_rate, "seconds": time.perf_counter() - self.started,
        }  # fmt: skip
        rows_ever = estimator.t_ + len(self.order)
        counts = {"n_iter_": estimator.n_iter_ + 1, "loss_": loss, "t_": rows_ever, **self.counts(loss, score)}
        changes.append(partial(estimator.__dict__.update, counts))
        return [*changes, *self.descent.epoch_ended(rows_ever, self.metric, seen[self.metric])]

    def commit(self, changes: list[Change]) -> None:
        together(changes)

    def decide(self, step: Step) -> str | None:
        """Tells of an epoch. -> why training ends: it has not improved for long, or a callback asks for it."""
        if step.state == "diverged":
            self.stopped = "diverged"
            self.diverge()
            return None
        estimator, seen, reason = self.estimator, self.seen, None
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {seen['loss']:.8f}")
            if self.score is not None:
                print(f"Validation score: {seen['validation_accuracy']:f}")
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            what = "Validation score" if estimator.early_stopping else "Training loss"
            why = (
                f"{what} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} "
                "consecutive epochs."
            )
            reason = why if self.descent.stops(why, self.say) else None
            estimator._no_improvement_count = estimator._no_improvement_count if reason else 0
        if self.callbacks and self.call_back():
            reason = reason or f"a callback asked for it in epoch {estimator.n_iter_}"
        if self.transcriber is not None and reason is None:
            reason = self.transcriber.see(self, step)
        return reason

    def counts(self, loss: float, score: float) -> dict[str, Any]:
        """How many epochs did not improve by tol, and the best figures, with this epoch's."""
        estimator, best = self.estimator, {}
        if estimator.early_stopping:
            worse = score < estimator.best_validation_score_ + estimator.tol
        else:
            worse = loss > estimator.best_loss_ - estimator.tol
            best["best_loss_"] = min(estimator.best_loss_, loss)
        if self.score is not None and score > estimator.best_validation_score_:
            best["best_validation_score_"] = score
        return {**best, "_no_improvement_count": estimator._no_improvement_count + 1 if worse else 0}

    def call_back(self) -> bool:
        """Whether a callback asks for the end."""
        record = records(self.estimator.n_iter_, np.nan, np.nan)
        for name, figure in self.seen.items():
            record[name] = figure
        self.history.extend(record)
        info = Info.of(record[0], self.epochs, self.history)
        ends = [verdict(callback(info)) for callback in self.callbacks]  # all of them see it
        return any(ends)

    def constant_loss(self) -> float:
        """The mean over rows of their batches' means of what scikit-learn adds to a loss, whatever the parameters."""
        if self.constants is None:
            return 0.0
        if self.rows.weights is None:
            return float(self.constants.mean())
        weights = self.rows.weights.astype(np.float64)[self.order]
        starts = np.arange(0, len(weights), self.batch)
        sums = np.add.reduceat(weights * self.constants[self.order], starts)
        totals = np.add.reduceat(weights, starts)
        sizes = np.diff(np.append(starts, len(weights)))
        return float((np.divide(sums, totals, where=totals > 0, out=sums) * sizes).sum() / len(weights))

    def diverge(self) -> None:
        """What scikit-learn comes to: NaN to the end where early stopping has kept better weights, else an error."""
        estimator = self.estimator
        if not self.found_better:
            raise ValueError(
                f"{problem.DIVERGED} {problem.advice(self.spec, self.rows)}, or give a smaller learning_rate_init than "
                f"{estimator.learning_rate_init:g}"
            )
        left = self.epochs - estimator.n_iter_
        estimator.n_iter_, estimator.loss_ = self.epochs, math.nan
        estimator.t_ += left * len(self.order)
        for curve in (estimator.loss_curve_, estimator.validation_scores_, estimator.validation_loss_curve_):
            curve += [math.nan] * left


def options_of(estimator: Any, spec: Spec, epochs: int, batch: int) -> FitOptions:
    """An estimator's parameters by `Model.fit`'s names, checked: scikit-learn has checked what is not here.

    Its optimizer with its learning rate is a `Descent`, its stopping and validation are its own.
    """
    return USUAL.replaced(
        epochs=epochs,
        batch_size=batch,
        shuffle=estimator.shuffle,
        l2=float(estimator.alpha),
        dropout=options.dropout_rates(estimator.dropout, spec),
        record_every=1,
        threads=options.thread_count(estimator.n_threads),
    )


def batch_size(asked: Any, rows: int, warns: bool = True) -> int:
    """The rows of a batch: of "auto", 200 or all."""
    if isinstance(asked, str):
        return min(200, rows)
    if asked > rows and warns:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped: "
            f"batch_size={asked} to the {rows} rows to train on",
            stacklevel=8,
        )
    return min(int(asked), rows)


def loss_and_score(spec: Spec, held: Rows, score: Callable[[np.ndarray], float] | None) -> Score:
    """A function of the parameters that gives the validation's loss and score.

    The loss is loss_curve_'s without the penalty; the score that of `score` of the outputs (N, J), or else the fraction
    of right rows.
    """
    evaluate = numba_backend.evaluator(spec, held.x, held.y)
    factor = problem.objective(spec).share * spec.loss_terms
    constants = held.constants(spec)
    constant = 0.0 if constants is None else float(constants.mean())

    def of(parameters: np.ndarray) -> tuple[float, float]:
        loss, accuracy = evaluate(parameters)
        found = accuracy if score is None else score(numba_backend.outputs(spec, parameters, held.x))
        return factor * loss + constant, found

    return of
