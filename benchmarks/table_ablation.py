"""The recipe for tables with each piece left out: what it costs. `benchmarks.tables --ablate` runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastmlp import TabularClassifier, TabularRegressor
from fastmlp.core.preprocess import Scale
from fastmlp.optimizers import Adam
from fastmlp.schedules import Cosine, CosineLog
from fastmlp.stopping import EarlyStopping
from fastmlp.tabular.base import BaseTabular

Made = Callable[[str, Any], Any]


def _changed(
    network: dict[str, Any] | None = None,
    training: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    stopping: Any = "recipe",
    standardised: bool = False,
    **parameters: Any,
) -> Made:
    """What makes an estimator of other arguments of its networks, their training, stopping or scale."""

    class Changed(BaseTabular):
        def _network(self, inputs: int, outputs: int) -> dict[str, Any]:
            return {**super()._network(inputs, outputs), **(network or {})}

        def _training(self) -> dict[str, Any]:
            found = super()._training()
            return found if training is None else {**found, **training(found)}

        def _stopping(self) -> Any:
            of_classes = isinstance(stopping, EarlyStopping) and stopping.metric == "validation_accuracy"
            stays = isinstance(stopping, str) or (of_classes and self._task == "regress")
            return super()._stopping() if stays else stopping

        def _scale_of(self, raw: Any, names: Any) -> Any:
            return Scale.of(raw, names, self.backend) if standardised else super()._scale_of(raw, names)

    class Classifier(TabularClassifier, Changed):
        pass

    class Regressor(TabularRegressor, Changed):
        pass

    def make(task: str, X: Any) -> Any:
        if task == "classify":
            return Classifier(**parameters)
        return Regressor(
            **{name: value for name, value in parameters.items() if name not in ("label_smoothing", "calibrate")}
        )

    return make


def _rate(options: dict[str, Any]) -> Any:
    return options["optimizer"].learning_rate


def _peak(options: dict[str, Any]) -> float:
    return float(_rate(options).learning_rate)


def _factors(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(options: dict[str, Any]) -> dict[str, Any]:
        return {"rate_factors": {key: value for key, value in options["rate_factors"].items() if key != name}}

    return change


ABLATIONS: dict[str, Made] = {
    "recipe": _changed(),
    "one member": _changed(n_members=1),
    "calibrated": _changed(calibrate=True),
    "standardised columns, no clipping": _changed(standardised=True),
    "ReLU": _changed(network={"hidden": "relu"}),
    "no input scale": _changed(network={"input_scale": False}, training=_factors("input_scale")),
    "the input scale at the rate of weights": _changed(training=_factors("input_scale")),
    "biases at the rate of weights": _changed(training=_factors("bias")),
    "biases from 0": _changed(network={"bias_init": 0.0}),
    "last layer from random weights": _changed(network={"zero_last": False}),
    "weights at the plain rate, a tenth": _changed(
        training=lambda options: {
            "rate_factors": {"bias": 0.1, "input_scale": 6.0},
            "optimizer": Adam(CosineLog(0.1 * _peak(options), epochs=options["epochs"]), beta_2=0.95),
        }
    ),
    "beta_2 of 0.999": _changed(training=lambda options: {"optimizer": Adam(_rate(options))}),
    "one cosine": _changed(
        training=lambda options: {
            "optimizer": Adam(Cosine(_peak(options), epochs=options["epochs"]), beta_2=0.95),
        }
    ),
    "no label smoothing": _changed(label_smoothing=0.0),
    "the epoch of the fewest errors": _changed(
        stopping=EarlyStopping(patience=None, metric="validation_accuracy", ties="last")
    ),
    "the last epoch": _changed(stopping=None),
    "64 epochs": _changed(epochs=64),
    "256 epochs": _changed(epochs=256),
    "3 x 256 units": _changed(hidden_layer_sizes=(256, 256, 256)),
}
