"""One training of a model, from the arguments of `Model.fit` to its history."""

from __future__ import annotations

import dataclasses
import math
import os
import time
import warnings
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp import optimizers, schedules
from fastmlp.checks import scalars
from fastmlp.core import data
from fastmlp.core.network import Network, raw_state, seed_set
from fastmlp.errors import DivergenceError, DivergenceWarning
from fastmlp.fit import options, sample_weights
from fastmlp.fit.advice import ended_far_above, what_to_try
from fastmlp.fit.monitor import Watch
from fastmlp.fit.progress import bar
from fastmlp.history import History
from fastmlp.kernels.registry import loading
from fastmlp.schedules import ReduceOnPlateau, Schedule
from fastmlp.spec import Spec
from fastmlp.stopping import resolve_metric
from fastmlp.storage import checkpoints
from fastmlp.storage.checkpoints import Checkpoints, Moment
from fastmlp.system.atomic import Change, copied, held
from fastmlp.training import Rates, Run, State, Step, Training


class Fit:
    """What `Model.fit` was asked for, checked. Nothing of the network has changed before `go`.

    Takes the arguments of `Model.fit`, which says what they are, and raises what it says.
    """

    def __init__(
        self,
        network: Network,
        backend: ModuleType,
        X: Any,
        y: Any,
        *,
        epochs: Any,
        learning_rate: Any,
        batch_size: Any,
        shuffle: Any,
        optimizer: Any,
        l2: Any,
        l1: Any,
        dropout: Any,
        clip_value: Any,
        clip_norm: Any,
        sample_weight: Any,
        class_weight: Any,
        validation: Any,
        early_stopping: Any,
        callback: Any,
        resume: Any,
        record_every: Any,
        target_loss: Any,
        target_accuracy: Any,
        progress: Any,
        threads: Any,
        checkpoint: Any,
        checkpoint_every: Any,
        keep: Any,
    ) -> None:
        self.network, self.backend = network, backend
        self.numbered = False  # whether it needs the seed as a number
        spec = network.spec
        self.moment = _moment_to_go_on_from(checkpoint, resume, spec)
        self.source = self.moment.network if self.moment else network  # where the fit goes on from
        x = data.features(X, spec)
        targets = data.targets(y, len(x), spec)
        share, rows, self.held = self._validation(validation, x, targets)
        self.weights = sample_weights.row_weights(sample_weight, class_weight, targets, spec, rows)
        if rows is not None:
            x, targets = x[rows], targets[rows]
        self.x, self.targets = x, targets
        self.labelled = data.labelled(spec, targets)
        self.run = self._run_of(optimizer, learning_rate, self.moment is not None or scalars.flag(resume, "resume"))
        self._check_share(share)
        self.begun = self.moment.begun if self.moment else self.run.epochs
        count = self._count(epochs)
        last = self.begun + count
        self.checkpoints = self._checkpoints(checkpoint, checkpoint_every, keep, count)
        asked = options.thread_count(threads)
        self.watch = self._watch(early_stopping, callback, last, asked)
        dropped = options.dropout_rates(dropout, spec)
        self.training = Training(
            epochs=last - self.run.epochs,
            learning_rate=self._rates(),
            batch_size=len(x) if batch_size is None else min(scalars.positive_int(batch_size, "batch_size"), len(x)),
            record_every=1 if record_every is None else scalars.positive_int(record_every, "record_every"),
            order=self._order(len(x)) if scalars.flag(shuffle, "shuffle") else None,
            target_loss=None if target_loss is None else scalars.finite_float(target_loss, "target_loss"),
            target_accuracy=options.target_accuracy(target_accuracy, spec, self.labelled),
            epochs_before=self.source.epochs,
            done=self.run.epochs,
            rate_begins=self.run.rate_begins,
            optimizer=None if self.run.optimizer.kernel == "gradient_descent" else self.run.optimizer,
            l2=options.penalty(l2, "l2", spec.dtype),
            l1=options.penalty(l1, "l1", spec.dtype),
            clip_value=options.limit(clip_value, "clip_value", spec.dtype),
            clip_norm=options.limit(clip_norm, "clip_norm", spec.dtype),
            dropout=dropped,
            dropout_seed=self._number_seed() if dropped else 0,
            threads=asked,
            watched=self.watch.needed,
            step_every=self.checkpoints.every if self.checkpoints else None,
            begun=self.begun,
        )
        self.watch.plateau_every = self.training.record_every
        if clip_value is not None and clip_norm is not None:
            raise ValueError("clip_value and clip_norm are both given: clip by one of them")
        self.progress = None if progress is None else scalars.flag(progress, "progress")
        if progress is None and callback is not None:
            self.progress = False  # what a callback prints would land on the bar's line
        self.asked = self._asked(count, share, early_stopping) if self.moment or self.checkpoints else {}
        if self.moment:
            checkpoints.check_same(self.asked, self.moment.asked, str(checkpoint if resume is True else resume))
        if self.checkpoints and not (self.moment and self.checkpoints.is_at(self.moment.path)):
            self.checkpoints.check(spec)

    def go(self, history: History, *others: Change) -> None:
        """Trains, and writes down in `history` what happens. others: changes that go with the beginning."""
        network, training, run, watch = self.network, self.training, self.run, self.watch
        self.started = time.perf_counter()
        loaded = sum(loading)
        network.change([*self._beginning(), *self._told_before(history), *others])
        if self.moment and self.moment.ended:
            if self.checkpoints and not self.checkpoints.is_at(self.moment.path):
                self.checkpoints.begin(self._moment_now(history, ended=True))
            return
        network.change(self._drawn_from())
        try:
            if self.moment:
                self.started -= self.moment.seconds
                watch.go_on(self.moment.stopping, self.moment.best)
            elif run.epochs:
                watch.see_start(run.epochs, network.parameters)
            self._begin_checkpoints(history)
            with bar(training.epochs, self.progress) as advance:
                of = network.spec, network.parameters, self.x, self.targets, training, run.state, self.weights
                kept = self.moment.kept if self.moment else None
                steps = self.backend.train(*of, staged=True, kept=kept)
                reason = None
                while reason is None and training.epochs:
                    with np.errstate(all="ignore"):  # divergence is told by an exception, not by warnings before it
                        step = next(steps, None)
                    if step is None:
                        break
                    history.seconds = time.perf_counter() - self.started
                    reason = self._take(step, history)
                    advance(step.epochs - training.done, history)
                steps.close()
            history.stopped = history.stopped or reason
            if watch.best is not None:
                self._go_back(watch.best)
            if run.drawn_from is not None:
                network.change([held(run, "drawn_from", None)])
            if self.checkpoints:
                self.checkpoints.write(self._moment_now(history, ended=True))
            self._warn_if_it_did_harm(history)
        except BaseException as error:
            if not run.spoilt:
                interrupted = isinstance(error, KeyboardInterrupt)
                history.stopped = "interrupted" if interrupted else f"{type(error).__name__} was raised"
            raise
        finally:
            history.seconds = time.perf_counter() - self.started
            history.loading = sum(loading) - loaded

    # -----------------------------------------------------------------------------------------------------
    # Before

    def _count(self, epochs: Any) -> int:
        """The epochs, where they fit into what counts those of all fits."""
        count, left = scalars.positive_int(epochs, "epochs"), scalars.LIMIT - self.source.epochs
        if count > left:
            raise ValueError(
                f"epochs={epochs!r} after {self.source.epochs} that the model has trained is more than it can count, "
                f"{scalars.LIMIT}: " + (f"give {left} or less" if left else "give the weights to a new Model")
            )
        return count

    def _number_seed(self) -> int:
        self.numbered = True
        return self.source.number_seed()

    def _order(self, rows: int) -> Any:
        """The epochs' orders: by the seed as a number, or by the model's own generator."""
        return (self.source if isinstance(self.source.seed, int) else self.network).order(rows)

    def _checkpoints(self, path: Any, every: Any, keep: Any, epochs: int) -> Checkpoints | None:
        some = max(1, epochs // 10) if every is None else scalars.positive_int(every, "checkpoint_every")
        keep = scalars.positive_int(keep, "keep")
        if path is None:
            if every is not None or keep != 1:
                name = "keep" if every is None else "checkpoint_every"
                raise ValueError(f"{name} goes with checkpoint, which is not given: give the path of a file")
            return None
        return Checkpoints(options.path(path, "checkpoint"), some, keep)

    def _asked(self, epochs: int, share: float | None, early_stopping: Any) -> dict[str, Any]:
        """What the fit was asked for, as far as its bits depend on it."""
        training, rule, rate = self.training, options.stopping(early_stopping), self.run.optimizer.learning_rate
        names = ("batch_size", "record_every", "target_loss", "target_accuracy", "l2", "l1", "dropout", "clip_value",
                 "clip_norm")  # fmt: skip
        held_x, held_y = self.held or (None, None)
        return checkpoints.plain(
            {
                "epochs": epochs,
                **{name: getattr(training, name) for name in names},
                "shuffle": training.order is not None,
                "optimizer": optimizers.describe(self.run.optimizer),
                "learning_rate": rate if isinstance(rate, float) else schedules.describe(rate),
                "validation": share,
                "early_stopping": None if rule is None else dataclasses.asdict(rule),
                "X": checkpoints.digest_of(self.x),
                "y": checkpoints.digest_of(self.targets),
                "sample_weight": checkpoints.digest_of(self.weights),
                "validation_data": [checkpoints.digest_of(held_x), checkpoints.digest_of(held_y)],
            }
        )

    def _run_of(self, optimizer: Any, learning_rate: Any, resume: bool) -> Run:
        """The run that this fit belongs to: a new one, or the last fit's."""
        spec = self.network.spec
        last = self.source.run if resume else None
        found: Any
        if last is None:
            found = optimizers.find("sgd" if optimizer is None else optimizer, learning_rate)
            optimizers.check_settings(found, spec.dtype)
            return Run(found, State.new(found, spec.parameters, spec.dtype))
        if last.spoilt:
            raise ValueError(f"resume=True has nothing to go on from, since {last.spoilt}: leave it out to begin anew")
        found = last.optimizer
        named = isinstance(optimizer, str) and type(found) is optimizers.OPTIMIZERS.get(optimizer)
        if optimizer is not None and not named:
            found = optimizers.find(optimizer, learning_rate)
        elif learning_rate is not None:
            found = dataclasses.replace(found, learning_rate=learning_rate)
        if found.kernel != last.optimizer.kernel:
            raise ValueError(
                f"resume=True goes on with {last.optimizer}, whose state another optimizer cannot use: "
                "leave optimizer out; or leave resume out, to begin anew"
            )
        optimizers.check_settings(found, spec.dtype)
        same = found.learning_rate == last.optimizer.learning_rate
        plateau, begins = (last.plateau, last.rate_begins) if same else (None, last.epochs)
        return Run(found, last.state, last.epochs, plateau, begins, last.held_out, drawn_from=last.drawn_from)

    def _rates(self) -> float | Rates:
        rate = self.run.optimizer.learning_rate
        if type(rate) is ReduceOnPlateau:
            assert self.run.plateau is not None
            return self.run.plateau
        if isinstance(rate, Schedule):
            try:
                schedules.describe(rate)  # one of our own, all the way down: others could not be saved
            except TypeError:
                words = "give a number, or one of fastmlp.schedules"
                raise TypeError(f"learning_rate={rate!r:.60} is no schedule of fastmlp's: {words}") from None
            return rate
        options.check_learning_rate(rate, "learning_rate", self.network.spec.dtype)
        return rate

    def _validation(
        self, validation: Any, x: np.ndarray, targets: np.ndarray
    ) -> tuple[float | None, np.ndarray | None, tuple[np.ndarray, np.ndarray] | None]:
        """(the share held out, or None; the rows to train on, or None for all; the validation's data or None)."""
        if validation is None:
            return None, None, None
        spec = self.network.spec
        share = options.validation_share(validation)
        if share is not None:
            rows, others = options.held_out(targets, share, self._number_seed(), spec)
            return share, rows, (x[others], targets[others])
        held = options.validation_data(validation, spec)
        options.check_classes(targets, held[1], spec)
        return None, None, held

    def _check_share(self, share: float | None) -> None:
        """Raises ValueError where a resumed run would hold out rows that it has trained on."""
        run = self.run
        if share is not None and run.epochs and share != run.held_out:
            before, again = "no share", ""
            if run.held_out:
                before, again = f"{run.held_out:g}", f"validation={run.held_out:g}, or "
            raise ValueError(
                f"validation={share:g} with resume=True would hold out rows that the run has trained on, as it held "
                f"out {before}: give {again}validation=(X, y) of other rows"
            )
        run.held_out = share

    def _watch(self, early_stopping: Any, callback: Any, last_epoch: int, threads: int | None) -> Watch:
        """What to do between epochs."""
        network, run, held = self.network, self.run, self.held
        watch = Watch(callback=options.function(callback, "callback"), last_epoch=last_epoch)
        held_labelled = held is not None and data.labelled(network.spec, held[1])

        def metric(name: str | None, argument: str) -> str:
            labelled = held_labelled if (name or "").startswith("validation") else self.labelled
            try:
                return resolve_metric(name, held is not None, labelled)
            except ValueError as error:
                raise ValueError(f"{argument}: {error}") from None

        if held is not None:
            evaluate = self.backend.evaluator(network.spec, *held, threads=threads)

            def validated(parameters: np.ndarray) -> tuple[float, float]:
                with np.errstate(all="ignore"):
                    loss, accuracy = evaluate(parameters)
                return loss, accuracy if held_labelled else math.nan

            watch.evaluate = validated
        plateau = run.optimizer.learning_rate
        if isinstance(plateau, ReduceOnPlateau):
            watch.plateau_metric = metric(plateau.metric, "learning_rate")
            run.plateau = watch.plateau = run.plateau or plateau.start()
        rule = options.stopping(early_stopping)
        if rule is not None:
            watch.stopping_metric = metric(rule.metric, "early_stopping")
            watch.begin(rule)
            watch.keep = network.at_once if rule.best_weights else None
        return watch

    # -----------------------------------------------------------------------------------------------------
    # Between epochs

    def _beginning(self) -> list[Change]:
        """What changes before anything is trained."""
        network, run, watch, source = self.network, self.run, self.watch, self.source
        changes, drawn = [held(network, "run", run)], list[Change]()
        if source is not network:
            changes += [copied(network.parameters, source.parameters), held(network, "epochs", source.epochs)]
            changes.append(held(network, "drawn_seed", source.drawn_seed))
            if type(source.seed) is type(network.seed) and not isinstance(source.seed, int):
                changes.append(seed_set(network.seed, raw_state(source.seed)))  # which others may draw from, too
            else:
                changes.append(held(network, "seed", source.seed))
        elif self.numbered:
            drawn = network.seed_drawn()
            changes += drawn
        last = network.run  # which may have drawn for an epoch that it did not train on
        if last is not None and last.drawn_from is not None and source is network and (last is run or not drawn):
            changes.append(seed_set(network.seed, last.drawn_from))
        if watch.plateau is not None:
            changes.append(held(watch.plateau, "now", watch.plateau.watching(watch.plateau_metric)))
        return changes

    def _drawn_from(self) -> list[Change]:
        """Where the next epoch's order will be drawn from, if by a generator."""
        training = self.training
        if callable(training.order) and training.batch_size < len(self.x):
            return [held(self.run, "drawn_from", raw_state(self.network.seed))]
        return []

    def _told_before(self, history: History) -> list[Change]:
        """What the history tells of the fit's beginning, where this goes on with one."""
        moment = self.moment
        if moment is None:
            return []
        told = {"seconds": moment.seconds, "stopped": moment.stopped, "best_epoch": moment.best_epoch}
        return [*history.extended(moment.records), *(held(history, name, value) for name, value in told.items())]

    def _begin_checkpoints(self, history: History) -> None:
        if self.checkpoints and self.moment and self.checkpoints.is_at(self.moment.path):
            self.checkpoints.went_on(self.moment)
        elif self.checkpoints:
            self.checkpoints.begin(self._moment_now(history))

    def _moment_now(self, history: History, ended: bool = False, kept: np.ndarray | None = None) -> Moment:
        return Moment(
            network=self.network.at_once(),
            asked=self.asked,
            begun=self.begun,
            records=history.records(),
            seconds=time.perf_counter() - self.started,
            stopped=history.stopped,
            ended=ended,
            best_epoch=history.best_epoch,
            stopping=self.watch.stopping,
            best=None if ended else self.watch.best,
            kept=kept,
        )

    def _take(self, step: Step, history: History) -> str | None:
        """Takes in a step: the network, the history and the learning rate change as one, and then callbacks see them.

        -> why training ends here, or None. Raises DivergenceError where the step says so.
        """
        network, run, watch, training = self.network, self.run, self.watch, self.training
        if not step.changes:
            return None
        finite = step.records[np.isfinite(step.records["loss"])]
        finite["seconds"] = history.seconds
        if not self.labelled:
            finite["accuracy"] = np.nan
        changes = [
            *step.changes,
            held(run, "epochs", step.epochs),
            held(network, "epochs", training.epochs_before - training.done + step.epochs),
            *self._drawn_from(),
        ]
        # Parameters of a step "diverged" are those of before.
        watched = watch.needed and len(finite) > 0 and step.state != "diverged"
        if watched:
            assert step.parameters is not None
            changes += watch.validated(finite, step.parameters)
        if step.state == "diverged":
            changes.append(held(run, "spoilt", "the last fit diverged"))
        network.change([*changes, *history.extended(finite)])
        if step.state == "target":
            history.stopped = self._reached(finite[-1])
        if step.state == "diverged":
            history.stopped = "diverged"
            raise DivergenceError(self._diverged(step, len(finite), history))
        reason = None
        for record in finite if watched else ():
            reason = watch.see(record, history)
        if self.checkpoints and reason is None and step.state == "more" and self.checkpoints.due(step.epochs):
            self.checkpoints.write(self._moment_now(history, kept=step.kept))
        return reason

    def _go_back(self, best: Network) -> None:
        network, run = self.network, self.run
        assert best.run is not None
        changes = [
            copied(network.parameters, best.parameters),
            copied(run.state.vectors, best.run.state.vectors),
            copied(run.state.powers, best.run.state.powers),
            held(run, "epochs", best.run.epochs),
            held(network, "epochs", best.epochs),
        ]
        if run.plateau is not None and best.run.plateau is not None:
            changes.append(held(run.plateau, "now", best.run.plateau.now))
        network.change(changes)

    # -----------------------------------------------------------------------------------------------------
    # In words

    def _reached(self, last: np.void) -> str:
        """Which target a record has reached."""
        goal = self.training.target_loss
        with np.errstate(all="ignore"):  # a goal beyond float32 is infinity
            by_loss = goal is not None and last["loss"] <= np.dtype(self.network.spec.dtype).type(goal)
        figure = f"loss {last['loss']:.6g}" if by_loss else f"accuracy {last['accuracy']:.6g}"
        return f"{figure} reached the target in epoch {last['epoch']}"

    def _diverged(self, step: Step, finite: int, history: History) -> str:
        """What happened, what to do, and what the model now holds."""
        what = f"a weight was no longer finite by epoch {max(step.epochs, 1)}"
        if finite < len(step.records):
            last = step.records[-1]
            what = f"the loss was {last['loss']} in epoch {last['epoch']}"
        kept = "the weights that this fit began with"
        if len(history):
            kept = f"the weights of epoch {history.epoch[-1]}, the last whose loss is recorded as finite"
        return f"training diverged: {what}. {self._advice()}. The model holds {kept}"

    def _advice(self) -> str:
        return what_to_try(self.network.spec, self.x, self.targets, self._rate_in_words())

    def _warn_if_it_did_harm(self, history: History) -> None:
        losses = history.loss
        if len(losses) > 1 and self.watch.best is None:
            first, last = float(losses[0]), float(losses[-1])
            if ended_far_above(self.network.spec, self.targets, first, last):
                warnings.warn(
                    f"training ended with a loss of {last:.3g}, far above the {first:.3g} that it began with. "
                    + self._advice(),
                    DivergenceWarning,
                    stacklevel=4,
                )

    def _rate_in_words(self) -> str:
        rate = self.run.optimizer.learning_rate
        return f"{rate:g}" if isinstance(rate, float) else str(rate)


def _moment_to_go_on_from(checkpoint: Any, resume: Any, spec: Spec) -> Moment | None:
    """The moment of the checkpoint that `resume` is, or that is there and means it; None for any other fit."""
    if isinstance(resume, (str, os.PathLike)):
        path = resume
    elif resume is True and checkpoint is not None and os.path.exists(options.path(checkpoint, "checkpoint")):
        path = checkpoint
    else:
        return None
    moment = checkpoints.read(path)
    if moment.network.spec != spec:
        raise ValueError(
            f"{os.fspath(path)} is the checkpoint of another network, {list(moment.network.spec.layers)}, "
            f"{moment.network.spec.dtype}: load it with Model.load, and fit that"
        )
    return moment
