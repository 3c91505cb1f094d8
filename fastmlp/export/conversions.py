"""What a `Model` is written as for other programs, and made of. Imports the other files of this folder when called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastmlp import losses
from fastmlp.checks.scalars import flag
from fastmlp.losses import Loss
from fastmlp.spec import Backend, LossName, Output

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self


class Conversions:
    """The methods of `Model` that write it for other programs, or make one of another library's network."""

    def to_c(
        self: Any, path: str | os.PathLike, *, name: str | None = None, class_names: Sequence[str] | None = None
    ) -> tuple[Path, Path]:
        """Writes the network as C99: one source and one header, which predict with the same bits, and need no library.

        docs/export.md has an example, and says what the functions in C are.

        Parameters
        ----------
        path : path
            The source's name, ending in .c; the header goes beside it. Or a folder, for network.c and network.h.
        name : str or None, default=None
            What every name in C begins with. None is the source's name without .c.
        class_names : sequence of str or None, default=None
            A name for each output of a classifier, to be in the source.

        Returns
        -------
        source, header : Path
            The two files.

        Raises
        ------
        TypeError, ValueError
            If an argument is wrong; if the network has more than 4 million parameters, or one that is not finite.
        OSError
            If a file cannot be written.
        """
        from fastmlp.export import c_parts, c_source

        network, parts = self.snapshot(), None
        if network.standardize:
            backend, outputs = self.backend, partial(self._forward_of(network.parameters), "outputs")
            parts = c_parts.of_network(
                network, lambda rows: network.in_units(outputs(network.inputs(rows, backend)), backend), outputs
            )
        return c_source.write(path, self.spec, network.parameters, network.digest(), name, class_names, parts)

    def to_onnx(self: Any, path: str | os.PathLike, *, dtype: Any = None) -> Path:
        """Writes the network as an ONNX file, for ONNX Runtime and others. It needs the package onnx.

        The input "X" (N, K) is of the network's dtype, or float64 where the model standardises rows. The outputs are
        "label", as `predict`, and "probabilities", as `predict_proba`; or "values", as `predict`. They agree to
        rounding, not to the bit: the order of sums and the elementary functions are the runtime's
        (docs/conversions.md). NaN and infinity are not refused.

        Parameters
        ----------
        path : path
            The file's name, ending in .onnx, or a folder, for network.onnx.
        dtype : str, dtype or None, default=None
            "float64" or "float32", of the arithmetic in the file. None is the model's dtype.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ImportError
            If onnx is not installed.
        TypeError, ValueError
            If an argument is wrong; if a weight is not finite in the file's dtype, its input scale included; if no fit
            has learnt the scale, or hidden="gelu_erf" is to be float64, which ONNX Runtime has no operator for.
        OSError
            If the file cannot be written.
        """
        from fastmlp.export import onnx_graph

        network = self.snapshot()
        around = onnx_graph.Around(*network.scales())
        return onnx_graph.write(path, self.spec, network.parameters, network.digest(), dtype, around)

    def to_torch(self: Any, *, logits: bool = False) -> Any:
        """Makes a module of PyTorch with copies of the weights. It needs PyTorch.

        Parameters
        ----------
        logits : bool, default=False
            Whether the module ends with the last layer's sums, as PyTorch's losses want them, and not with the output
            and y's units.

        Returns
        -------
        torch.nn.Sequential
            nn.Linear and activations of the model's dtype, whose forward has the values of `predict_proba`, or of
            `predict` as (N, J), to rounding. An input scale is folded into the first weights; scales of
            `standardize` are parts of their own, which compute in float64: where the model standardises, give rows in
            float64, since rounding them to float32 first loses digits that a large mean has taken.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        TypeError, ValueError
            If logits is no bool, a weight is not finite, its input scale included, or no fit has learnt the scale.
        """
        from fastmlp.export.foreign import torch_modules

        network, ends = self.snapshot(), flag(logits, "logits")
        return torch_modules("to_torch").module_of(self.spec, network.parameters, ends, *network.scales())

    @classmethod
    def from_torch(
        cls,
        module: Any,
        *,
        output: Output | None = None,
        loss: LossName | Loss | None = None,
        seed: int | np.random.Generator | np.random.RandomState = 0,
        backend: Backend = "numba",
    ) -> Self:
        """Makes a model of a module of PyTorch, with copies of its weights.

        Parameters
        ----------
        module : torch.nn.Sequential
            nn.Linear, each followed by at most one activation that a Model has, and at the end nn.Softmax, nn.Sigmoid
            or nothing; or one nn.Linear. Sequentials may be nested; dropout, which predictions do not have, is left
            out.
        output : str or None, default=None
            What the last layer's sums become, if the module ends with them: "softmax", "sigmoid", "identity" or
            "exponential". None is the loss's own output, or "identity" if `loss` is None, too.
        loss : str, Loss or None, default=None
            The loss that `fit` goes on with. None is the output's default.
        seed : int, numpy.random.Generator or numpy.random.RandomState, default=0
            As in `Model`: of what `fit` draws.
        backend : str, default="numba"
            "numba" or "reference".

        Returns
        -------
        Model
            With the module's dtype. It predicts what the module does, to rounding.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        TypeError, ValueError
            If the module is something else, or has a part that no Model has, or one with a hook, as of weight_norm; the
            error names it.
        """
        from fastmlp.export.foreign import torch_modules

        layers, hidden, ends, dtype, weights = torch_modules("from_torch").network_of(module)
        if ends is not None and output is not None and output != ends:
            raise ValueError(f"output={output!r} is given, and module ends with {ends}: leave one of them out")
        if loss is None:
            output = output or ends or "identity"
        made = cast(Any, cls)(
            layers, hidden=hidden, output=output or ends, loss=loss, seed=seed, dtype=dtype, backend=backend
        )
        made.set_weights(weights)
        return made

    @classmethod
    def from_sklearn(
        cls,
        estimator: Any,
        *,
        seed: int | np.random.Generator | np.random.RandomState = 0,
        backend: Backend = "numba",
    ) -> Self:
        """Makes a model of a fitted MLPClassifier or MLPRegressor, scikit-learn's or fastmlp's, with its weights.

        Parameters
        ----------
        estimator : MLPClassifier, MLPRegressor or Pipeline
            The fitted estimator, or a pipeline of a StandardScaler and one: the model then standardises rows with that
            scaler's means and deviations. Its first `fit` learns them anew.
        seed : int, numpy.random.Generator or numpy.random.RandomState, default=0
            As in `Model`: of what `fit` draws.
        backend : str, default="numba"
            "numba" or "reference".

        Returns
        -------
        Model
            It predicts what the estimator does, to rounding; of fastmlp's estimators, to the bit. Labels are places in
            `estimator.classes_`; of two classes, it has one output, the probability of the second.

        Raises
        ------
        TypeError, ValueError
            If estimator is something else, not fitted, or fitted to one class alone; if its weights do not fit each
            other, or one is not finite.

        See Also
        --------
        MLPClassifier.from_sklearn, which keeps the labels.
        """
        from fastmlp.core.preprocess import Scale
        from fastmlp.export import foreign

        last, scale = foreign.scaler_of(estimator)
        spec, weights = foreign.network_of(last)
        loss = losses.of(spec.loss, spec.loss_parameter)
        made = cast(Any, cls)(
            spec.layers, hidden=spec.hidden, output=spec.output, loss=loss, seed=seed, dtype=spec.dtype, backend=backend
        )
        made.set_weights(weights)
        if scale is not None:
            made._network.standardize, made._network.scale = "features", Scale(*scale)
        return made
