"""The optimizers that a training may be asked for, and their numbers: learning rate, momentum and the like.

Their arithmetic is in `fastmlp/reference/optimizers.py`, of which `kernel` names the function. An optimizer holds no
state: the training does, in `vectors` vectors as long as the parameters. Imports the spec, the checks
and the reference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.checks.messages import either, shown
from fastmlp.checks.rounding import rounded
from fastmlp.checks.scalars import finite_float, nonnegative_float, positive_float
from fastmlp.reference.optimizers import adam_steps, plain_adam_steps
from fastmlp.schedules import Schedule


class Optimizer:
    """What all optimizers have. Each is a frozen dataclass, whose numbers are checked when it is made."""

    learning_rate: float | Schedule

    @property
    def kernel(self) -> str:
        """The name of the function that updates the parameters, on both sides."""
        raise NotImplementedError

    @property
    def vectors(self) -> int:
        """How many vectors of state that function takes."""
        raise NotImplementedError

    @property
    def initial(self) -> float:
        """What the state's numbers begin as."""
        return 0.0

    @property
    def settings(self) -> tuple[float, ...]:
        """The numbers of all updates, in that function's order, to be rounded to the dtype."""
        raise NotImplementedError

    def steps(self, rates: np.ndarray, powers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of each of T updates, (T, C), in that function's order, to be rounded to the dtype; and powers.

        rates (T,): the updates' learning rates. powers (2,): what Adam knows of the updates before them, (1, 1) at
        first. The second result (T, 2) has the powers after each update. All are float64.
        """
        return np.array(rates, np.float64)[:, None], np.tile(np.asarray(powers, np.float64), (len(rates), 1))


class WithMomentum(Optimizer):
    """Those whose one vector is a velocity, if they have momentum."""

    momentum: float

    @property
    def vectors(self) -> int:
        return 0 if self.momentum == 0 else 1

    @property
    def settings(self) -> tuple[float, ...]:
        return () if self.momentum == 0 else (self.momentum,)


@dataclass(frozen=True)
class SGD(WithMomentum):
    """Gradient descent, by the gradient of a batch: plain, with momentum, or with Nesterov's momentum.

        plain       p = p - learning_rate g
        momentum    v = momentum v + g;  p = p - learning_rate v
        nesterov    v = momentum v + g;  p = p - learning_rate (momentum v + g)

    While g stays the same, v grows to g / (1 - momentum): with momentum=0.9, a tenth of the learning rate goes as far.
    PyTorch's SGD has the same formulas, and learning_rate=0.001.

    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964. Sutskever, Martens, Dahl and
    Hinton, "On the importance of initialization and momentum in deep learning", ICML 2013.
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


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: a step for each parameter that depends little on its gradient's size.

        m = beta_1 m + (1 - beta_1) g;  v = beta_2 v + (1 - beta_2) g^2;  and at update t = 1, 2, ...
        p = p - learning_rate (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)

    PyTorch's Adam has the same formulas and defaults.

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

    def steps(self, rates: np.ndarray, powers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return adam_steps(np.asarray(rates, np.float64), powers, self.beta_1, self.beta_2, 0.0)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam, with every parameter first shrunk by a share of itself, which the gradient has no part in.

        p = (1 - learning_rate weight_decay) p, and then as Adam

    Biases decay too. PyTorch's AdamW has the same formulas and defaults.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        _keep(self, weight_decay=nonnegative_float(self.weight_decay, "weight_decay"))

    def steps(self, rates: np.ndarray, powers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return adam_steps(np.asarray(rates, np.float64), powers, self.beta_1, self.beta_2, self.weight_decay)


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """RMSprop: each gradient divided by a running root of the mean of its squares.

        v = decay v + (1 - decay) g^2;  p = p - learning_rate g / (sqrt(v) + epsilon)

    PyTorch's RMSprop has the same formulas and defaults; it calls decay alpha.

    Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5, Coursera 2012.
    """

    learning_rate: float | Schedule = 0.01
    decay: float = 0.99
    epsilon: float = 1e-8

    kernel = "rmsprop"
    vectors = 1

    def __post_init__(self) -> None:
        _keep(
            self,
            learning_rate=_rate(self.learning_rate),
            decay=_below_one(self.decay, "decay"),
            epsilon=positive_float(self.epsilon, "epsilon"),
        )

    @property
    def settings(self) -> tuple[float, ...]:
        return self.decay, 1 - self.decay, self.epsilon


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Adagrad: each gradient divided by the root of the sum of all its squares so far.

        s = s + g^2, from initial_accumulator on;  p = p - learning_rate g / (sqrt(s) + epsilon)

    PyTorch's Adagrad has the same formulas and defaults; it calls initial_accumulator initial_accumulator_value.

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
# scikit-learn's formulas, for its estimators: their numbers are checked there


@dataclass(frozen=True)
class ClassicalSGD(WithMomentum):
    """Gradient descent with the rate in the velocity: a rate that changes later leaves the velocity as it is.

    momentum    v = momentum v - learning_rate g;  p = p + v
    nesterov    v = momentum v - learning_rate g;  p = p + (momentum v - learning_rate g)
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
    """Adam with both corrections in the step's size: p = p - (learning_rate sqrt(c_2) / c_1) m / (sqrt(v) + epsilon).

    c_i = 1 - beta_i^t; m and v as `Adam`'s.
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

    def steps(self, rates: np.ndarray, powers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return plain_adam_steps(np.asarray(rates, np.float64), powers, self.beta_1, self.beta_2)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop, "adagrad": Adagrad,
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------
# By name, and as plain numbers


def find(optimizer: str | Optimizer, learning_rate: float | Schedule | None) -> Optimizer:
    """The optimizer of this name, with this learning rate or else its default; or the optimizer that was given.

    Raises ValueError for a name that is not known, a learning rate out of range, or one beside an optimizer that has
    its own; TypeError for anything else.
    """
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer={shown(optimizer)} is not known: use {either(tuple(OPTIMIZERS))}")
        made: Any = OPTIMIZERS[optimizer]
        return made() if learning_rate is None else made(learning_rate=learning_rate)
    if isinstance(optimizer, type):
        name = optimizer.__name__
        usual = name if optimizer in OPTIMIZERS.values() else "Adam"
        raise TypeError(f"optimizer={name} is a class: give an object of it, like {usual}(), or {usual.lower()!r}")
    if type(optimizer) not in OPTIMIZERS.values():
        raise TypeError(
            f"optimizer={shown(optimizer)} is no optimizer of fastmlp: use {either(tuple(OPTIMIZERS))}, "
            "or an object like fastmlp.Adam()"
        )
    if learning_rate is not None:
        kind = type(optimizer).__name__
        raise ValueError(
            f"learning_rate={shown(learning_rate)} comes beside an optimizer that has its own, "
            f"{optimizer.learning_rate!r}: leave it out, or give it to {kind}(learning_rate=...)"
        )
    return optimizer


def describe(optimizer: Optimizer) -> dict[str, Any]:
    """{"name": ..., and each field but the learning rate as a plain number}, for files."""
    name = next(name for name, kind in OPTIMIZERS.items() if type(optimizer) is kind)
    return {"name": name, **{field: getattr(optimizer, field) for field in _fields(type(optimizer))}}


def from_description(description: Mapping[str, Any]) -> Optimizer:
    """The optimizer that `describe` described, with its default learning rate.

    Raises ValueError for a name or a field that is not known, or a field that is missing; and what its class raises.
    """
    fields = dict(description)
    name = fields.pop("name", None)
    if not isinstance(name, str) or name not in OPTIMIZERS:
        raise ValueError(f"the optimizer's name, {shown(name)}, is not known: it is {either(tuple(OPTIMIZERS))}")
    kind: Any = OPTIMIZERS[name]
    if {*fields} != {*_fields(kind)}:
        raise ValueError(f"the optimizer {name!r} has the fields {_fields(kind)}, and not {shown(list(fields), 200)}")
    return kind(**fields)


def _fields(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if field.name != "learning_rate"]


# ---------------------------------------------------------------------------------------------------------
# Checks


def _keep(optimizer: Optimizer, **values: object) -> None:
    """Stores checked values in a frozen dataclass."""
    for name, value in values.items():
        object.__setattr__(optimizer, name, value)


def _rate(value: Any) -> float | Schedule:
    if isinstance(value, Schedule):
        return value
    if isinstance(value, type):
        raise TypeError(f"learning_rate={value.__name__} is a class: give an object of it, {value.__name__}(...)")
    return positive_float(value, "learning_rate")


def _below_one(value: Any, name: str) -> float:
    number = finite_float(value, name)
    if not 0 <= number < 1:
        raise ValueError(f"{name}={value} is out of range: give a number from 0 to less than 1, like 0.9")
    return number


def check_settings(optimizer: Optimizer, dtype: str) -> None:
    """Raises ValueError where one of an optimizer's numbers rounds to one without its meaning: 0, 1 or infinity."""
    ends = {"momentum": 1, "beta_1": 1, "beta_2": 1, "decay": 1, "epsilon": np.inf, "initial_accumulator": np.inf}
    for name, end in ends.items():
        value = getattr(optimizer, name, None)
        if value and not 0 < (found := rounded(value, dtype)) < end:
            raise ValueError(
                f"{name}={value!r} of optimizer={type(optimizer).__name__}() rounds to {found} in {dtype}: "
                'use another, or a Model of dtype="float64"'
            )
