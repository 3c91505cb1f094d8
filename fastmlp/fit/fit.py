"""One training of a model, from the options of `Model.fit` to its history."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks import scalars
from fastmlp.core import data
from fastmlp.core.network import Network, raw_state, seed_set
from fastmlp.engine.backends import Backend, name_of
from fastmlp.errors import DivergenceError, DivergenceWarning, ScaleWarning
from fastmlp.fit import advice, loop, rate_factors, resume, sample_weights, validation
from fastmlp.fit import options as options_of
from fastmlp.fit.checked_rows import Checks, check_rows
from fastmlp.fit.monitor import Monitor
from fastmlp.fit.options import FitOptions
from fastmlp.fit.progress import bar
from fastmlp.fit.standardized import Standardized
from fastmlp.history import History
from fastmlp.kernels.registry import loading
from fastmlp.schedules import ReduceOnPlateau
from fastmlp.stopping import EarlyStopping
from fastmlp.system.atomic import Change, copied, held
from fastmlp.training import Step

if TYPE_CHECKING:
    from fastmlp.fit.transcribing import Transcriber
    from fastmlp.storage.checkpoints import Checkpoints, Moment


class Fit:
    """What `Model.fit` was asked for, checked. Nothing of the network has changed before `go`.

    X, y, options: as given to `Model.fit`, which says what they are, and what is raised. `loop.run` sees an `Epochs`.
    rows: numbers of the rows of X, y and the weights that it is about, in this order; None: all of them. checks: those
    of rows, which several fits may share.
    """

    def __init__(
        self,
        network: Network,
        backend: Backend,
        X: Any,
        y: Any,
        options: FitOptions,
        rows: np.ndarray | None = None,
        checks: Checks = data,
    ) -> None:
        self.network, self.backend = network, backend
        self.numbered = False  # whether it needs the seed as a number
        spec = network.spec
        self.moment = resume.moment_to_go_on_from(options.checkpoint, options.resume, spec, options.transcript)
        self.source = self.moment.network if self.moment else network  # where the fit goes on from
        if self.source.standardize != network.standardize:
            there, here = (of.standardize or False for of in (self.source, network))
            raise ValueError(f"the checkpoint is of a model with standardize={there!r}, and this one has {here!r}")
        x = checks.features(X, network.rows_spec)
        all_targets = targets = checks.targets(y, len(x), spec)
        self.shared: tuple[np.ndarray, np.ndarray] | None = None  # of which this trains on the `rows`
        if rows is not None:
            check_rows(rows, len(x))
            targets = targets[rows]
        split = validation.NOTHING
        if options.validation is not None:
            mine = x if rows is None else x[rows]
            split = validation.split(
                *(options.validation, mine, targets, spec, self._number_seed, checks, network.rows_spec),
                name_of(backend),
            )
        if split.rows is not None:
            targets = targets[split.rows]
            rows = split.rows if rows is None else rows[split.rows]
        weighed = options.sample_weight, options.class_weight
        self.targets, self.weights = targets, sample_weights.row_weights(*weighed, all_targets, spec, rows)
        self.rows, self._x = rows, x if rows is None else None
        held = split.held
        self.scales = (network.scale, network.target_scale)
        if network.standardize:
            own = Standardized(self.source, name_of(backend), checks)
            self.scales = own.learn(x, rows, targets)
            self._x, self.targets = own.rows(x, rows), own.targets(targets)
            held = held and (own.rows(held[0]), own.targets(held[1]), *held[2:])
        elif checks is not data:
            self.shared = x, all_targets
        elif rows is not None:
            self._x = x[rows]
        self.labelled = checks.labelled(spec, targets)
        goes_on = self.moment is not None or scalars.flag(options.resume, "resume")
        self.run = run = resume.run_of(self.source, options.optimizer, options.learning_rate, goes_on)
        resume.check_held_out(run, split.fraction)
        run.held_out = split.fraction
        self.options = checked = options.checked(spec, len(targets), self.labelled, self.source.epochs)
        self.begun = self.moment.begun if self.moment else run.epochs
        last = self.begun + checked.epochs
        path, every = checked.checkpoint, checked.checkpoint_every
        self.checkpoints: Checkpoints | None = None
        if path is not None and every is not None:
            from fastmlp.storage.checkpoints import Checkpoints  # with the files' modules, 10 ms

            self.checkpoints = Checkpoints(path, every, checked.keep)
        self.trained = run.epochs  # the last epoch that a step has told of
        self.transcriber: Transcriber | None = None
        steps_end = [self.checkpoints.every] if self.checkpoints else []
        if options.transcript is not None:
            self.transcriber = _transcriber(options.transcript)
            steps_end.append(self.transcriber.plan(self, last))
        self.monitor = self._monitor(checked, held, last)
        factors = None
        if checked.rate_factors is not None:
            factors = rate_factors.checked(checked.rate_factors, spec, run.optimizer)
        self.training = checked.training(
            epochs=last - run.epochs,
            learning_rate=resume.rates_of(run, spec.dtype),
            order=self._order() if checked.shuffle else None,
            epochs_before=self.source.epochs,
            done=run.epochs,
            rate_begins=run.rate_begins,
            rate_factors=factors,
            optimizer=None if run.optimizer.kernel == "gradient_descent" else run.optimizer,
            dropout_seed=self._number_seed() if checked.dropout else 0,
            watched=self.monitor.needed,
            step_every=math.gcd(*steps_end) or None,
            begun=self.begun,
        )
        if checked.dropout and self.training.dropout_changes:
            options_of.check_dropout(self.training)
        self.asked: dict[str, Any] = {}
        if self.moment or self.checkpoints or self.transcriber:
            self.asked = resume.asked(checked, run, split, self.x, targets, self.weights, factors)
        if self.transcriber:
            self.transcriber.check(self)
        if self.moment:
            from fastmlp.storage.checkpoints import check_same

            named = options.checkpoint if options.resume is True else options.resume
            check_same(self.asked, self.moment.asked, str(named))
        if self.checkpoints and not self._goes_on_at_the_checkpoint():
            self.checkpoints.check(spec)

    @property
    def x(self) -> np.ndarray:
        """The rows (N, K) that this trains on: copied at the first look, where they are some of several fits' rows."""
        if self._x is None:
            assert self.shared is not None
            self._x = self.shared[0][self.rows]
        return self._x

    def go(self, history: History, *others: Change) -> None:
        """Trains, and writes down in `history` what happens. others: changes that go with the beginning."""
        if not self.begin(history, *others):
            return
        if not self.run.epochs and not self.network.standardize:
            work = self.network.spec.parameters * len(self.targets) * self.training.epochs
            if told := advice.far_from_standardised(self.x, work):
                warnings.warn(told, ScaleWarning, stacklevel=3)
        try:
            self.go_on()
            reason, training = None, self.training
            with bar(training.epochs, self.options.progress) as advance:
                if training.epochs:
                    reason = loop.run(self.steps(), self, lambda step: advance(step.epochs - training.done, history))
            if harm := self.finish(reason):
                warnings.warn(harm, DivergenceWarning, stacklevel=3)
        except BaseException as error:
            self.cut_short(error)
            raise
        finally:
            self.tell_seconds()

    # What `go` does, one after the other: `together.py` has several fits do it in turns.

    def begin(self, history: History, *others: Change) -> bool:
        """Makes the model's run this one. -> whether there is anything to do: not if a checkpoint's fit has ended."""
        self.history, self.started, self.loaded = history, time.perf_counter(), sum(loading)
        self.network.change([*self._beginning(), *self._told_before(history), *others])
        if self.moment and self.moment.ended:
            if self.checkpoints and not self._goes_on_at_the_checkpoint():
                self.checkpoints.begin(self.moment_now(ended=True))
            return False
        self.network.change(self._drawn_from())
        return True

    def go_on(self) -> None:
        """Takes up what an earlier part of the run has seen, and begins checkpoints."""
        if self.moment:
            self.started -= self.moment.seconds
            self.monitor.go_on(self.moment.stopping, self.moment.best)
        elif self.run.epochs:
            self.monitor.see_start(self.run.epochs, self.network.parameters)
        self._begin_checkpoints()

    def steps(self, kept: np.ndarray | None = None) -> Generator[Step, None, None]:
        """The backend's steps, for `loop.run`. kept: the last Step's, if there was one."""
        of = self.network.spec, self.network.parameters, self.x, self.targets, self.training, self.run.state
        if kept is None and self.moment:
            kept = self.moment.kept
        return self.backend.train(*of, self.weights, staged=True, kept=kept)

    def finish(self, reason: str | None) -> str:
        """Ends a training whose steps have come to their end, or to a reason. -> how it did harm, in words, or ''."""
        self.history.stopped = self.history.stopped or reason
        if self.monitor.best is not None:
            self._go_back(self.monitor.best)
        if self.run.drawn_from is not None:
            self.network.change([held(self.run, "drawn_from", None)])
        if self.transcriber:  # first: nothing would write it after a checkpoint that says that all is done
            self.transcriber.end(self)
        if self.checkpoints:
            self.checkpoints.write(self.moment_now(ended=True))
        return self._harm()

    def cut_short(self, error: BaseException) -> None:
        """Writes down what has ended the training."""
        if not self.run.not_resumable_because:
            interrupted = isinstance(error, KeyboardInterrupt)
            self.history.stopped = "interrupted" if interrupted else f"{type(error).__name__} was raised"
        elif self.transcriber and isinstance(error, DivergenceError):
            self.transcriber.end(self)

    def tell_seconds(self) -> None:
        """Writes down how long it took."""
        self.history.seconds = time.perf_counter() - self.started
        self.history.loading = sum(loading) - self.loaded

    # -----------------------------------------------------------------------------------------------------
    # Before

    def _number_seed(self) -> int:
        self.numbered = True
        return self.source.number_seed()

    def _order(self) -> Any:
        """The epochs' orders: by the seed as a number, or by the model's own generator."""
        return (self.source if isinstance(self.source.seed, int) else self.network).order(len(self.targets))

    def _monitor(self, checked: FitOptions, given: validation.Held | None, last_epoch: int) -> Monitor:
        """What to do between epochs. given: the validation's data."""
        network, run = self.network, self.run
        monitor = Monitor(checked.callback, last_epoch=last_epoch, plateau_every=checked.record_every or 1)
        labelled = None if given is None else data.labelled(network.spec, given[1])
        if given is not None:
            evaluate = self.backend.evaluator(network.spec, *given, threads=checked.threads)
            monitor.evaluate = validation.evaluator(evaluate, bool(labelled))
        plateau, rule = run.optimizer.learning_rate, checked.early_stopping
        if isinstance(plateau, ReduceOnPlateau):
            monitor.plateau_metric = validation.metric_of(plateau.metric, "learning_rate", self.labelled, labelled)
            run.plateau = monitor.plateau = run.plateau or plateau.start()
        if isinstance(rule, EarlyStopping):
            monitor.stopping_metric = validation.metric_of(rule.metric, "early_stopping", self.labelled, labelled)
            monitor.begin(rule)
            monitor.keep = network.at_once if rule.best_weights else None
        return monitor

    def _goes_on_at_the_checkpoint(self) -> bool:
        """Whether the checkpoint that this goes on with is the file that it goes on writing."""
        return bool(self.checkpoints and self.moment and self.checkpoints.is_at(self.moment.path))

    # -----------------------------------------------------------------------------------------------------
    # Beginning, and checkpoints

    def _beginning(self) -> list[Change]:
        """What changes before anything is trained."""
        network, run, monitor, source = self.network, self.run, self.monitor, self.source
        changes, drawn = [held(network, "run", run)], list[Change]()
        if network.standardize:
            scale, target_scale = self.scales
            changes += [held(network, "scale", scale), held(network, "target_scale", target_scale)]
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
        if monitor.plateau is not None:
            changes.append(held(monitor.plateau, "now", monitor.plateau.watching(monitor.plateau_metric)))
        return changes

    def _drawn_from(self) -> list[Change]:
        """Where the next epoch's order will be drawn from, if by a generator."""
        training = self.training
        if callable(training.order) and training.batch_size < len(self.targets):
            return [held(self.run, "drawn_from", raw_state(self.network.seed))]
        return []

    def _told_before(self, history: History) -> list[Change]:
        """What the history tells of the fit's beginning, where this goes on with one."""
        moment = self.moment
        if moment is None:
            return []
        told = {"seconds": moment.seconds, "stopped": moment.stopped, "best_epoch": moment.best_epoch}
        return [*history.extended(moment.records), *(held(history, name, value) for name, value in told.items())]

    def _begin_checkpoints(self) -> None:
        if self.checkpoints and self.moment and self._goes_on_at_the_checkpoint():
            self.checkpoints.went_on(self.moment)
        elif self.checkpoints:
            self.checkpoints.begin(self.moment_now())
        if self.transcriber:
            self.transcriber.begin(self)

    def moment_now(self, ended: bool = False, kept: np.ndarray | None = None) -> Moment:
        """The state of the fit, for a checkpoint."""
        from fastmlp.storage.checkpoints import Moment

        history = self.history
        return Moment(
            network=self.network.at_once(),
            asked=self.asked,
            begun=self.begun,
            records=history.records(),
            seconds=time.perf_counter() - self.started,
            stopped=history.stopped,
            ended=ended,
            best_epoch=history.best_epoch,
            stopping=self.monitor.stopping,
            best=None if ended else self.monitor.best,
            kept=kept,
        )

    # -----------------------------------------------------------------------------------------------------
    # Epochs, of loop.run

    def changes(self, step: Step) -> list[Change]:
        """The network's and the run's counts, the learning rate, and records in the history."""
        network, run, monitor, training, history = self.network, self.run, self.monitor, self.training, self.history
        seconds = time.perf_counter() - self.started
        finite = step.records[np.isfinite(step.records["loss"])]
        finite["seconds"] = seconds
        if not self.labelled:
            finite["accuracy"] = np.nan
        changes = [
            held(history, "seconds", seconds),
            held(run, "epochs", step.epochs),
            held(network, "epochs", training.epochs_before - training.done + step.epochs),
            *self._drawn_from(),
        ]
        if step.state == "diverged":  # its parameters are those of before
            changes.append(held(run, "not_resumable_because", "the last fit diverged"))
        elif monitor.needed and len(finite):
            assert step.parameters is not None
            changes += monitor.validated(finite, step.parameters)
        self.finite = finite
        return [*changes, *history.extended(finite)]

    def commit(self, changes: list[Change]) -> None:
        self.network.change(changes)

    def decide(self, step: Step) -> str | None:
        """Asks the monitor, and writes a checkpoint where one is due. Raises DivergenceError where the step says so."""
        history, finite = self.history, self.finite
        self.trained = step.epochs
        if step.state == "diverged":
            history.stopped = "diverged"
            raise DivergenceError(self._diverged(step))
        if step.state == "target":
            history.stopped = advice.reached(finite[-1], self.training.target_loss, self.network.spec)
        reason = None
        for record in finite if self.monitor.needed else ():
            reason = self.monitor.see(record, history)
        if self.checkpoints and reason is None and step.state == "more" and self.checkpoints.due(step.epochs):
            self.checkpoints.write(self.moment_now(kept=step.kept))
        if self.transcriber and reason is None:
            reason = self.transcriber.see(self, step)
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

    def _advice(self) -> str:
        rate = self.run.optimizer.learning_rate
        in_words = f"{rate:g}" if isinstance(rate, float) else str(rate)
        return advice.what_to_try(self.network.spec, self.x, self.targets, in_words)

    def _diverged(self, step: Step) -> str:
        """What happened, what to do, and what the model now holds."""
        kept = "the weights that this fit began with"
        if len(self.history):
            kept = f"the weights of epoch {self.history.epoch[-1]}, the last whose loss is recorded as finite"
        what = advice.what_diverged(step.epochs, step.records, len(self.finite))
        return f"training diverged: {what}. {self._advice()}. The model holds {kept}"

    def _harm(self) -> str:
        """What is said of a training that ended with a loss far above its first; '' for any other."""
        losses = self.history.loss
        if len(losses) > 1 and self.monitor.best is None:
            first, last = float(losses[0]), float(losses[-1])
            if advice.ended_far_above(self.network.spec, self.targets, first, last):
                told = f"training ended with a loss of {last:.3g}, far above the {first:.3g} that it began with"
                return f"{told}. {self._advice()}"
        return ""


def _transcriber(asked: Any) -> Transcriber:
    """What writes a transcript; `fit(transcript=...)` may also be given one, as audits do."""
    from fastmlp.fit.transcribing import Transcriber

    return asked if isinstance(asked, Transcriber) else Transcriber(asked)
