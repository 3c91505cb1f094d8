"""The optimizers, and their hyperparameters: learning rate, momentum and so on.

`fastmlp/reference/optimizers.py` defines their arithmetic; `kernel` names the function there. An optimizer object holds
no state. The state belongs to a training: `vectors` vectors, each as long as the parameter vector. Imports the
schedules, the checks and the reference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fastmlp.checks.messages import either, shown
from fastmlp.checks.names import explained, one_of
from fastmlp.checks.rounding import rounded
from fastmlp.checks.scalars import finite_float, flag, nonnegative_float, positive_float
from fastmlp.reference.optimizers import adam_steps, plain_adam_steps
from fastmlp.schedules import ReduceOnPlateau, Schedule
from fastmlp.schedules import describe as described
from fastmlp.schedules import from_description as schedule_from


class Optimizer:
    """Base class of the optimizers. Each is a frozen dataclass that checks its hyperparameters when it is made.

    Attributes
    ----------
    learning_rate : float or Schedule
        A constant rate, or one of `fastmlp.schedules`.
    """

    learning_rate: float | Schedule

    @property
    def kernel(self) -> str:
        """The name of the update function, in the reference and in the kernels."""
        raise NotImplementedError

    @property
    def vectors(self) -> int:
        """The number of state vectors that the update function takes."""
        raise NotImplementedError

    @property
    def initial(self) -> float:
        """The number that every element of the state starts from."""
        return 0.0

    @property
    def spares_biases(self) -> bool:
        """Whether a decoupled decay leaves biases as they are."""
        return False

    @property
    def settings(self) -> tuple[float, ...]:
        """The numbers that are the same in every update, in the update function's order, to be rounded to the dtype."""
        raise NotImplementedError

    @property
    def decay_changes(self) -> bool:
        """Whether a decoupled decay is a schedule, so that `steps` needs times."""
        return False

    def steps(
        self, rates: np.ndarray, powers: np.ndarray, times: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Computes the numbers of each of T successive updates, in the update function's order.

        Parameters
        ----------
        rates : ndarray of shape (T,), float64
            The learning rate of each update.
        powers : ndarray of shape (2,), float64
            For Adam: beta_1^t and beta_2^t after the t updates so far; (1, 1) at the start.
        times : ndarray of shape (T,), float64, or None, default=None
            For a weight decay that is a schedule: the time of each update, in epochs of the run. None is 0.

        Returns
        -------
        steps : ndarray of shape (T, C), float64
            The C numbers of each update, to be rounded to the dtype.
        powers : ndarray of shape (T, 2), float64
            The powers after each update.
        """
        return np.array(rates, np.float64)[:, None], np.tile(np.asarray(powers, np.float64), (len(rates), 1))


class WithMomentum(Optimizer):
    """Optimizers whose only state vector, if there is momentum, is a velocity."""

    momentum: float

    @property
    def vectors(self) -> int:
        return 0 if self.momentum == 0 else 1

    @property
    def settings(self) -> tuple[float, ...]:
        return () if self.momentum == 0 else (self.momentum,)


@explained
@dataclass(frozen=True)
class SGD(WithMomentum):
    """Stochastic gradient descent: plain, with momentum, or with Nesterov momentum.

    With g the gradient of a batch and p the parameters:

        plain       p = p - learning_rate g
        momentum    v = momentum v + g;  p = p - learning_rate v
        nesterov    v = momentum v + g;  p = p - learning_rate (momentum v + g)

    Parameters
    ----------
    learning_rate : float or Schedule, default=0.1
        Above 0, or one of `fastmlp.schedules`.
    momentum : float, default=0.0
        From 0 to less than 1. 0 is plain gradient descent.
    nesterov : bool, default=False
        Whether to use Nesterov momentum; needs a momentum above 0.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range, or `nesterov` is True without momentum.

    Notes
    -----
    While g stays the same, v grows to g / (1 - momentum). So with momentum=0.9, a tenth of the learning rate goes as
    far. PyTorch's SGD has the same formulas; its default learning rate is 0.001.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics and
    Mathematical Physics 4(5), 1964. Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and
    momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> from fastmlp import SGD
    >>> SGD(0.03, momentum=0.9, nesterov=True)
    SGD(learning_rate=0.03, momentum=0.9, nesterov=True)
    """

    learning_rate: float | Schedule = 0.1
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.nesterov, (bool, np.bool_)):
            raise TypeError(f"nesterov={shown(self.nesterov)} is neither True nor False: give one of them")
        _keep(
            self,
            learning_rate=_rate(self.learning_rate),
            momentum=_below_one(self.momentum, "momentum"),
            nesterov=bool(self.nesterov),
        )
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True needs a momentum, and momentum=0.0: give one like 0.9")

    @property
    def kernel(self) -> str:
        if self.momentum == 0:
            return "gradient_descent"
        return "nesterov" if self.nesterov else "momentum"


@explained
@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: each parameter's step is scaled by running averages of its gradient and of the gradient's square.

        m = beta_1 m + (1 - beta_1) g;  v = beta_2 v + (1 - beta_2) g^2;  and at update t = 1, 2, ...
        p = p - learning_rate (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)

    Parameters
    ----------
    learning_rate : float or Schedule, default=0.001
        Above 0, or one of `fastmlp.schedules`.
    beta_1 : float, default=0.9
        Decay of the average of gradients, from 0 to less than 1.
    beta_2 : float, default=0.999
        Decay of the average of squares, from 0 to less than 1.
    epsilon : float, default=1e-8
        Added to the denominator; above 0.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range.

    Notes
    -----
    PyTorch's Adam has the same formulas and defaults.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    kernel = "adam"
    vectors = 2

    def __post_init__(self) -> None:
        _keep(
            self,
            learning_rate=_rate(self.learning_rate),
            beta_1=_below_one(self.beta_1, "beta_1"),
            beta_2=_below_one(self.beta_2, "beta_2"),
            epsilon=positive_float(self.epsilon, "epsilon"),
        )

    @property
    def settings(self) -> tuple[float, ...]:
        return self.beta_1, 1 - self.beta_1, self.beta_2, 1 - self.beta_2, self.epsilon

    def steps(
        self, rates: np.ndarray, powers: np.ndarray, times: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return adam_steps(np.asarray(rates, np.float64), powers, self.beta_1, self.beta_2, 0.0)


@explained
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: each update first shrinks every parameter by a fraction of itself.

        p = (1 - learning_rate weight_decay) p, and then as `Adam`

    The decay does not enter the gradient or its averages. Biases decay, too, unless `decay_biases` is False. Rate
    factors of `fit` do not change the decay.

    Parameters
    ----------
    learning_rate : float or Schedule, default=0.001
        Above 0, or one of `fastmlp.schedules`.
    beta_1 : float, default=0.9
        Decay of the average of gradients, from 0 to less than 1.
    beta_2 : float, default=0.999
        Decay of the average of squares, from 0 to less than 1.
    epsilon : float, default=1e-8
        Added to the denominator; above 0.
    weight_decay : float or Schedule, default=0.01
        The decay, 0 or more; or one of `fastmlp.schedules`, by the epochs of the run.
    decay_biases : bool, default=True
        Whether biases decay.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range.

    Notes
    -----
    PyTorch's AdamW has the same formulas and defaults; there, biases that do not decay are a group of parameters with
    weight_decay=0, and those with a rate factor f one with lr=f lr and weight_decay=weight_decay / f.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    weight_decay: float | Schedule = 0.01
    decay_biases: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _keep(
            self,
            weight_decay=_decay(self.weight_decay),
            decay_biases=flag(self.decay_biases, "decay_biases"),
        )

    @property
    def spares_biases(self) -> bool:
        return not self.decay_biases and self.weight_decay != 0

    @property
    def decay_changes(self) -> bool:
        return isinstance(self.weight_decay, Schedule)

    def steps(
        self, rates: np.ndarray, powers: np.ndarray, times: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        decay: Any = self.weight_decay
        if isinstance(decay, Schedule):
            decay = decay.rates(np.zeros(len(rates)) if times is None else times)
        return adam_steps(np.asarray(rates, np.float64), powers, self.beta_1, self.beta_2, decay)


@explained
@dataclass(frozen=True)
class RMSprop(Optimizer):
    """RMSprop: the gradient is divided by the root of a running average of its square.

        plain       v = decay v + (1 - decay) g^2;  p = p - learning_rate g / (sqrt(v) + epsilon)
        momentum    u = momentum u + g / (sqrt(v) + epsilon);  p = p - learning_rate u

    Parameters
    ----------
    learning_rate : float or Schedule, default=0.01
        Above 0, or one of `fastmlp.schedules`.
    decay : float, default=0.99
        Decay of the average of squares, from 0 to less than 1.
    epsilon : float, default=1e-8
        Added to the denominator; above 0.
    momentum : float, default=0.0
        From 0 to less than 1. 0 is plain RMSprop.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range.

    Notes
    -----
    PyTorch's RMSprop has the same formulas and defaults; it calls `decay` alpha.

    References
    ----------
    Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5, Coursera 2012. Momentum: Graves,
    "Generating sequences with recurrent neural networks", 2013.
    """

    learning_rate: float | Schedule = 0.01
    decay: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0

    def __post_init__(self) -> None:
        _keep(
            self,
            learning_rate=_rate(self.learning_rate),
            decay=_below_one(self.decay, "decay"),
            epsilon=positive_float(self.epsilon, "epsilon"),
            momentum=_below_one(self.momentum, "momentum"),
        )

    @property
    def kernel(self) -> str:
        return "rmsprop" if self.momentum == 0 else "rmsprop_momentum"

    @property
    def vectors(self) -> int:
        return 1 if self.momentum == 0 else 2

    @property
    def settings(self) -> tuple[float, ...]:
        own = self.decay, 1 - self.decay, self.epsilon
        return own if self.momentum == 0 else (*own, self.momentum)


@explained
@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Adagrad: the gradient is divided by the root of the sum of all its squares so far.

        s = s + g^2, starting from initial_accumulator;  p = p - learning_rate g / (sqrt(s) + epsilon)

    Parameters
    ----------
    learning_rate : float or Schedule, default=0.01
        Above 0, or one of `fastmlp.schedules`.
    initial_accumulator : float, default=0.0
        The first s, 0 or more.
    epsilon : float, default=1e-10
        Added to the denominator; above 0.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range.

    Notes
    -----
    PyTorch's Adagrad has the same formulas and defaults; it calls `initial_accumulator` initial_accumulator_value.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", Journal of
    Machine Learning Research 12, 2011.
    """

    learning_rate: float | Schedule = 0.01
    initial_accumulator: float = 0.0
    epsilon: float = 1e-10

    kernel = "adagrad"
    vectors = 1

    def __post_init__(self) -> None:
        _keep(
            self,
            learning_rate=_rate(self.learning_rate),
            initial_accumulator=nonnegative_float(self.initial_accumulator, "initial_accumulator"),
            epsilon=positive_float(self.epsilon, "epsilon"),
        )

    @property
    def initial(self) -> float:
        return self.initial_accumulator

    @property
    def settings(self) -> tuple[float, ...]:
        return (self.epsilon,)


# ---------------------------------------------------------------------------------------------------------
# scikit-learn's formulas, for the estimators, which check the parameters


@dataclass(frozen=True)
class ClassicalSGD(WithMomentum):
    """Gradient descent whose velocity includes the learning rate: scikit-learn's "sgd".

        momentum    v = momentum v - learning_rate g;  p = p + v
        nesterov    v = momentum v - learning_rate g;  p = p + (momentum v - learning_rate g)

    A rate that changes later does not rescale the velocity. The estimators check the parameters.

    Parameters
    ----------
    learning_rate : float or Schedule, default=0.001
        The learning rate.
    momentum : float, default=0.9
        From 0 to 1. 0 is plain gradient descent.
    nesterov : bool, default=True
        Whether to use Nesterov momentum.
    """

    learning_rate: float | Schedule = 0.001
    momentum: float = 0.9
    nesterov: bool = True

    @property
    def kernel(self) -> str:
        if self.momentum == 0:
            return "gradient_descent"
        return "classical_nesterov" if self.nesterov else "classical_momentum"


@dataclass(frozen=True)
class PlainAdam(Optimizer):
    """Adam with both bias corrections in the step size: scikit-learn's "adam".

        p = p - (learning_rate sqrt(c_2) / c_1) m / (sqrt(v) + epsilon),   c_i = 1 - beta_i^t

    m and v are those of `Adam`. The estimators check the parameters.

    Parameters
    ----------
    learning_rate : float or Schedule, default=0.001
        The learning rate.
    beta_1 : float, default=0.9
        Decay of the average of gradients.
    beta_2 : float, default=0.999
        Decay of the average of squares.
    epsilon : float, default=1e-8
        Added to the denominator.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    kernel = "adam"
    vectors = 2

    @property
    def settings(self) -> tuple[float, ...]:
        return self.beta_1, 1 - self.beta_1, self.beta_2, 1 - self.beta_2, self.epsilon

    def steps(
        self, rates: np.ndarray, powers: np.ndarray, times: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return plain_adam_steps(np.asarray(rates, np.float64), powers, self.beta_1, self.beta_2)


OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop", "adagrad"]  # as type checkers know them
OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "adagrad": Adagrad,
}  # fmt: skip
# (optimizer, field): its default. Files left it out before there was such a field, and leave it out where it is this.
LATER: dict[tuple[str, str], Any] = {("rmsprop", "momentum"): 0.0, ("adamw", "decay_biases"): True}


# ---------------------------------------------------------------------------------------------------------
# By name, and as plain values


def kind_of(name: str) -> type[Optimizer]:
    """Returns the optimizer's class that a name means.

    Parameters
    ----------
    name : str
        A name in `OPTIMIZERS`, in any spelling.

    Returns
    -------
    type

    Raises
    ------
    ValueError
        If it names none.
    """
    return OPTIMIZERS[one_of("optimizer", name, tuple(OPTIMIZERS))]


def find(optimizer: str | Optimizer, learning_rate: float | Schedule | None) -> Optimizer:
    """Returns the optimizer that `fit`'s arguments mean.

    Parameters
    ----------
    optimizer : str or Optimizer
        A name in `OPTIMIZERS`, or an object of one of its classes, which is returned as it is.
    learning_rate : float, Schedule or None
        For an optimizer given by name: its learning rate; None is that optimizer's default.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        If the name is not known, the learning rate is out of range, or a learning rate is given beside an object.
    TypeError
        If `optimizer` is something else.
    """
    if isinstance(optimizer, str):
        made: Any = kind_of(optimizer)
        return made() if learning_rate is None else made(learning_rate=learning_rate)
    if isinstance(optimizer, type):
        name = optimizer.__name__
        usual = name if optimizer in OPTIMIZERS.values() else "Adam"
        raise TypeError(f"optimizer={name} is a class: give an object of it, like {usual}(), or {usual.lower()!r}")
    if type(optimizer) not in OPTIMIZERS.values():
        raise TypeError(
            f"optimizer={shown(optimizer)} is not an optimizer of fastmlp: use {either(tuple(OPTIMIZERS))}, "
            "or an object like fastmlp.Adam()"
        )
    if learning_rate is not None:
        kind = type(optimizer).__name__
        raise ValueError(
            f"learning_rate={shown(learning_rate)} is given with an optimizer that has its own, "
            f"{optimizer.learning_rate!r}: leave it out, or give it to {kind}(learning_rate=...)"
        )
    return optimizer


def describe(optimizer: Optimizer) -> dict[str, Any]:
    """Describes an optimizer by plain values, for files.

    Parameters
    ----------
    optimizer : Optimizer

    Returns
    -------
    dict
        "name", and each field but the learning rate, and but those of LATER at their defaults.
    """
    name = next(name for name, kind in OPTIMIZERS.items() if type(optimizer) is kind)
    values = {field: getattr(optimizer, field) for field in _fields(type(optimizer))}
    values = {field: described(value) if isinstance(value, Schedule) else value for field, value in values.items()}
    return {"name": name} | {
        field: value for field, value in values.items() if (name, field) not in LATER or value != LATER[name, field]
    }


def from_description(description: Mapping[str, Any]) -> Optimizer:
    """Makes the optimizer that `describe` described, with its default learning rate.

    Parameters
    ----------
    description : mapping
        What `describe` returned.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        If the name or a field is not known, or a field is missing.
    TypeError, ValueError
        What the optimizer's class raises for a wrong value.
    """
    fields = dict(description)
    name = fields.pop("name", None)
    if not isinstance(name, str) or name not in OPTIMIZERS:
        raise ValueError(f"the optimizer's name, {shown(name)}, is not known: it is {either(tuple(OPTIMIZERS))}")
    kind: Any = OPTIMIZERS[name]
    usual = {field: value for (of, field), value in LATER.items() if of == name}
    if {*usual, *fields} != {*_fields(kind)}:
        raise ValueError(f"the optimizer {name!r} has the fields {_fields(kind)}, and not {shown(list(fields), 200)}")
    if isinstance(fields.get("weight_decay"), dict):
        fields["weight_decay"] = schedule_from(fields["weight_decay"])
    return kind(**fields)


def _fields(kind: Any) -> list[str]:
    """The names of a class's fields, except the learning rate."""
    return [field.name for field in dataclasses.fields(kind) if field.name != "learning_rate"]


# ---------------------------------------------------------------------------------------------------------
# Checks


def fixed_schedule(schedule: Schedule, name: str) -> Schedule:
    """Returns a schedule whose values depend on time alone, and which files can hold.

    Parameters
    ----------
    schedule : Schedule
        The schedule of something other than the learning rate.
    name : str
        The argument's name, for errors.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError, ValueError
        If it is not one of fastmlp's, or waits for progress.
    """
    if isinstance(schedule, ReduceOnPlateau):
        raise ValueError(
            f"{name}={shown(schedule)} waits for progress, as only a learning rate may: give another schedule, like "
            "FlatCosine"
        )
    try:
        described(schedule)
    except TypeError:
        raise TypeError(
            f"{name}={shown(schedule)} is no schedule of fastmlp's: give a number, or one of fastmlp.schedules"
        ) from None
    return schedule


def _keep(optimizer: Optimizer, **values: object) -> None:
    """Stores checked values in a frozen dataclass."""
    for name, value in values.items():
        object.__setattr__(optimizer, name, value)


def _rate(value: Any) -> float | Schedule:
    """Returns a checked learning rate: a positive float, or a schedule as it is."""
    if isinstance(value, Schedule):
        return value
    if isinstance(value, type):
        raise TypeError(f"learning_rate={value.__name__} is a class: give an object of it, {value.__name__}(...)")
    return positive_float(value, "learning_rate")


def _decay(value: Any) -> float | Schedule:
    """Returns a checked weight decay: 0 or more, or a schedule of ours that depends on time alone."""
    return (
        fixed_schedule(value, "weight_decay")
        if isinstance(value, Schedule)
        else nonnegative_float(value, "weight_decay")
    )


def _below_one(value: Any, name: str) -> float:
    """Returns value as a float from 0 to less than 1."""
    number = finite_float(value, name)
    if not 0 <= number < 1:
        raise ValueError(f"{name}={value} is out of range: give a number from 0 to less than 1, like 0.9")
    return number


def check_settings(optimizer: Optimizer, dtype: str) -> None:
    """Checks that an optimizer's numbers keep their meaning when they are rounded to the dtype.

    Parameters
    ----------
    optimizer : Optimizer
    dtype : str
        "float64" or "float32".

    Raises
    ------
    ValueError
        If a number that is not 0 rounds to 0 or infinity, or one below 1 rounds to 1.
    """
    ends = {"momentum": 1, "beta_1": 1, "beta_2": 1, "decay": 1, "epsilon": np.inf, "initial_accumulator": np.inf}
    for name, end in ends.items():
        value = getattr(optimizer, name, None)
        if value and not 0 < (found := rounded(value, dtype)) < end:
            raise ValueError(
                f"{name}={value!r} of optimizer={type(optimizer).__name__}() rounds to {found} in {dtype}: "
                'use another, or a Model of dtype="float64"'
            )
