"""`bisect` names batch, layer and kernel where an ulp was changed; or says that another environment differed."""

import json
import shutil

import numpy as np
import pytest
from cases import Unregistered

import fastmlp
from fastmlp import Adam, AdamW, Model, Transcript
from fastmlp.cli import main
from fastmlp.engine import kept_workspaces
from fastmlp.fit.transcribing import Transcriber
from fastmlp.jit import machine_code
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Float, Floats, Int
from fastmlp.reference import activations, dense, gradients, losses, optimizers
from fastmlp.reference import train as reference
from fastmlp.schedules import Cosine
from fastmlp.storage import transcript
from fastmlp.testing import assert_same_bits
from fastmlp.verification import layers, lockstep

DRAWS = np.random.default_rng(0)
X, Y = DRAWS.standard_normal((90, 4)), DRAWS.integers(0, 3, 90)
WIDE = DRAWS.standard_normal((100, 150))
MODELS = {  # name: (arguments of Model, those of fit)
    "streamed": (
        {"layers": [4, 16, 3], "hidden": "tanh"},
        {"batch_size": 32, "optimizer": Adam(Cosine(0.01, epochs=9))},
    ),
    "options": (
        {"layers": [4, 16, 16, 3], "hidden": ["silu", "relu"], "dtype": "float32", "seed": np.random.RandomState(3)},
        {"batch_size": 32, "optimizer": "adamw", "dropout": 0.3, "l2": 0.1, "clip_norm": 0.1,
         "sample_weight": np.arange(90) % 4},
    ),
    "few": ({"layers": [4, 6, 3], "hidden": "gelu"}, {"batch_size": 8}),
    "online": ({"layers": [4, 6, 3]}, {"batch_size": 1}),
    "rowwise": ({"layers": [4, 6, 3]}, {"batch_size": 1, "optimizer": "rmsprop"}),
    "layered": ({"layers": [150, 128, 32], "dtype": "float32"}, {"optimizer": "adam"}),
    "scales": (
        {"layers": [4, 20, 3], "input_scale": True, "standardize": True},
        {"batch_size": 50, "rate_factors": {"bias": 0.5}, "optimizer": "rmsprop", "clip_value": 0.01},
    ),
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def kernels():
    """Are imported before a fault is planted in a reference function that names them."""
    registry.load_all()


def trained(path, name="streamed", every=2, epochs=6, backend="numba", **others):
    arguments, options = MODELS[name]
    model = Model(backend=backend, **{"seed": 1, **arguments})
    model.fit(X, Y, **{**options, "epochs": epochs, **others}, transcript=Transcript(path, every=every))
    return path


def moved(function, first=1):
    """A function whose result, from the `first` call on, is moved by an ulp."""
    calls = [0]

    def wrong(*arguments, **options):
        result = function(*arguments, **options)
        calls[0] += 1
        if calls[0] < first:
            return result
        whole = result if isinstance(result, tuple) else (result,)
        one = np.nextafter(whole[0], whole[0].dtype.type(9e9))
        return (one, *whole[1:]) if isinstance(result, tuple) else one

    wrong.__name__ = function.__name__
    return wrong


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A true transcript, and one by an environment whose tanh is an ulp too large from the tenth batch on."""
    folder = tmp_path_factory.mktemp("pair")
    trained(folder / "a.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(activations, "tanh_forward", moved(activations.tanh_forward, 10))
        trained(folder / "b.jsonl", backend="reference")
    np.savez(folder / "rows.npz", X=X, y=Y)
    return folder / "a.jsonl", folder / "b.jsonl"


def test_equal_ones(pair, tmp_path):
    for every in (2, 3):
        found = fastmlp.bisect(pair[0], trained(tmp_path / f"{every}.jsonl", every=every), X, Y)
        assert (found.equal, found.last_common, found.place) == (True, 6, None)
    assert found.last_line() == "equal up to epoch 6"


@pytest.mark.parametrize(
    ("options", "said"), [({"l2": 0.1}, "l2"), ({"epochs": 7}, "epochs"), ({"name": "few"}, "spec")]
)
def test_different_trainings(options, said, pair, tmp_path):
    found = fastmlp.bisect(pair[0], trained(tmp_path / "c.jsonl", **options), X, Y)
    assert found.difference.startswith(said)
    assert found.last_line().startswith(f"they are of different trainings: {said}")


def test_different_first_weights(pair, tmp_path):
    """No environment is blamed for what both were given."""
    model = Model(**MODELS["streamed"][0], seed=1)
    model.set_weights([(2 * w, b) for w, b in model.weights])
    options = {**MODELS["streamed"][1], "epochs": 6}
    model.fit(X, Y, **options, transcript=Transcript(tmp_path / "c.jsonl", every=2))
    found = fastmlp.bisect(pair[0], tmp_path / "c.jsonl", X, Y)
    said = "the digest of the parameters that they begin with"
    assert (found.difference, found.last_common, found.agrees) == (said, None, None)
    assert found.last_line() == f"they are of different trainings: {said}"


def test_nothing_to_compare(pair, tmp_path):
    head = pair[0].read_bytes().splitlines(keepends=True)[0]
    (tmp_path / "head.jsonl").write_bytes(head)
    for two in ((pair[0], tmp_path / "head.jsonl"), (tmp_path / "head.jsonl", pair[0])):
        with pytest.raises(ValueError, match=r"head.jsonl has no line of a state"):
            fastmlp.bisect(*two, X, Y)
    arguments, options = MODELS["streamed"]
    checkpoint = {**options, "epochs": 6, "checkpoint": tmp_path / "c", "checkpoint_every": 3}
    with pytest.raises(RuntimeError, match="stop"):  # as killed in epoch 4
        Model(**arguments, seed=1).fit(X, Y, **checkpoint, callback=lambda info: _stop(info, 4))
    asked = {"resume": True, "callback": lambda info: _stop(info, 5), "transcript": tmp_path / "late.jsonl"}
    with pytest.raises(RuntimeError, match="stop"):
        Model(**arguments, seed=1).fit(X, Y, **checkpoint, **asked)
    assert [line["epoch"] for line in transcript.read(tmp_path / "late.jsonl").states] == [3]
    with pytest.raises(ValueError, match="have no line of the same epoch: there is nothing to compare"):
        fastmlp.bisect(tmp_path / "late.jsonl", pair[0], X, Y)


def _stop(info, epoch):
    if info.epoch == epoch:
        raise RuntimeError("stop")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((3, "b"), "a=3 is no path"),
        (("a", None), "b=None is no path"),
    ],
)
def test_wrong_paths_are_named(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "a", epochs=2)
    with pytest.raises(TypeError, match=said):
        fastmlp.bisect(*arguments, X, Y)


def test_another_environment(pair):
    found = fastmlp.bisect(*pair, X, Y)
    assert (found.last_common, found.epoch, found.line_a, found.line_b) == (2, 4, 4, 4)
    assert (found.place, found.agrees) == (None, "a")
    assert f"{pair[1]} was written by an environment that differs: epoch 4, the digest of" in found.last_line()
    assert fastmlp.bisect(*pair[::-1], X, Y).agrees == "b"


def test_checkpoints_of_one_are_enough(pair, tmp_path):
    for source, name in zip(pair, "ab", strict=True):
        shutil.copy(source, tmp_path / name)
    shutil.copytree(f"{pair[1]}.d", tmp_path / "b.d")
    assert fastmlp.bisect(tmp_path / "a", tmp_path / "b", X, Y).agrees == "a"
    shutil.rmtree(tmp_path / "b.d")
    with pytest.raises(ValueError, match="neither transcript has a checkpoint of epoch 2 or before"):
        fastmlp.bisect(tmp_path / "a", tmp_path / "b", X, Y)
    with pytest.raises(ValueError, match="X is not the one that the transcript is of"):
        fastmlp.bisect(*pair, X + 1, Y)


def test_the_command(pair, capsys, monkeypatch):
    arguments = ["bisect", str(pair[0]), str(pair[1]), "--data", str(pair[0].parent / "rows.npz")]
    assert main(arguments) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "last common line   epoch 2"
    assert said[2] == f"this machine       agrees with {pair[0]}"
    assert said[-1].startswith("kernels and reference agree here, and ")
    assert main([*arguments[:2], str(pair[0]), *arguments[3:]]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "equal up to epoch 6"
    np.savez(pair[0].parent / "more.npz", X=X, y=Y, X_validation=X, y_validation=Y)
    assert main([*arguments[:-1], str(pair[0].parent / "more.npz")]) == 2
    assert capsys.readouterr().err.startswith(
        "fastmlp: --data's X_validation is given, and the transcript's fit had no"
    )
    monkeypatch.setattr(activations, "tanh_forward", moved(activations.tanh_forward))
    assert main([*arguments, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    place = {name: found["place"][name] for name in ("epoch", "batch", "layer", "kernel")}
    assert place == {"epoch": 3, "batch": 1, "layer": 1, "kernel": "activations.tanh_forward"}


# ---------------------------------------------------------------------------------------------------------
# One ulp, in the reference: then the kernel is it that differs


def place_of(name, epoch=2, all_pairs=False):
    """Where kernels and reference differ in an epoch of a training."""
    kept = []

    class Watch(Transcriber):
        def __init__(self):
            pass

        def plan(self, fit, last):
            return 1

        def check(self, fit):
            pass

        begin = end = check

        def see(self, fit, step):
            if step.epochs == epoch - 1:
                kept[:] = fit, fit.network.at_once()
            return "enough" if kept else None

    arguments, options = MODELS[name]
    x, y = (WIDE, np.arange(100) % 3) if name == "layered" else (X, Y)
    Model(**{"seed": 1, **arguments}).fit(x, y, **options, epochs=3, transcript=Watch())
    return lockstep.first_difference(*kept, epoch, all_pairs)


@pytest.mark.parametrize("name", MODELS)
def test_where_nothing_differs_nothing_is_named(name):
    assert place_of(name, all_pairs=name not in ("online", "rowwise")) is None  # of 90 batches, 10 s


@pytest.mark.parametrize(
    ("module", "function", "name", "layer", "kernel"),
    [
        (activations, "tanh_forward", "streamed", 1, "activations.tanh_forward"),
        (dense, "dense_forward", "streamed", 1, "dense.dense_forward"),
        (dense, "dense_backward_input", "streamed", 2, "dense.dense_backward_input"),
        (dense, "dense_backward_weights", "streamed", 2, "dense.dense_backward_weights"),
        (losses, "softmax_cross_entropy", "streamed", 2, "losses.softmax_cross_entropy"),
        (optimizers, "adam", "streamed", 1, "optimizers.adam"),
        (activations, "multiply", "options", 2, "activations.multiply"),
        (gradients, "penalized", "options", 1, "gradients.penalized"),
        (gradients, "clipped_by_norm", "options", None, "gradients.clipped_by_norm"),
        (activations, "gelu_forward", "few", 1, "activations.gelu_forward"),
        (dense, "dense_forward", "few", 1, "few.sum_batch"),
        (dense, "dense_backward_weights", "few", 1, "few.sum_batch"),
        (optimizers, "gradient_descent", "few", 1, "optimizers.gradient_descent"),
        (dense, "dense_forward", "online", 1, "online.train"),
        (dense, "dense_forward", "rowwise", 1, "rowwise_dense.dense_forward"),
        (dense, "dense_forward", "layered", 1, "layered_dense.dense_forward"),
        (gradients, "clipped_by_value", "scales", None, "gradients.clipped_by_value"),
    ],
)  # fmt: skip
def test_one_ulp_is_named(module, function, name, layer, kernel, monkeypatch):
    wrong = moved(getattr(module, function))
    monkeypatch.setattr(module, function, wrong)
    if hasattr(reference, function):  # which has it by name
        monkeypatch.setattr(reference, function, wrong)
    found = place_of(name, all_pairs=True)
    assert (found.epoch, found.batch, found.kernel) == (2, 1, kernel)
    assert found.layer == layer or kernel in ("few.sum_batch", "online.train")  # of which the first that it changes
    assert "ulps" in found.detail


def test_a_loss_that_changes_no_parameter_is_named(monkeypatch, tmp_path):
    """The records alone differ."""
    real = losses.softmax_cross_entropy

    def wrong(z, y):
        dz, loss, right = real(z, y)
        return dz, 2 * loss, right

    a = trained(tmp_path / "a.jsonl", epochs=4)
    monkeypatch.setattr(losses, "softmax_cross_entropy", wrong)
    b = trained(tmp_path / "b.jsonl", epochs=4, backend="reference")
    found = fastmlp.bisect(a, b, X, Y)
    assert found.difference == "the digest of the records"
    assert (found.place.epoch, found.place.kernel) == (1, "losses.softmax_cross_entropy")


# ---------------------------------------------------------------------------------------------------------
# In a kernel


def rounded_twice(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    """Gradient descent by a product and a sum."""
    for i in range(count):
        p[i] = p[i] - learning_rate * (scale * total[i])


def test_a_kernel_that_rounds_twice_is_named(monkeypatch, tmp_path):
    plain = {"optimizer": "sgd", "epochs": 4}
    a = trained(tmp_path / "a.jsonl", **plain)
    key = "optimizers.gradient_descent", "float64"
    registry.address(*key)
    faulty = machine_code.link(Unregistered(rounded_twice).code("float64"))
    monkeypatch.setitem(registry._addresses, key, faulty)
    monkeypatch.delitem(registry._functions, key, raising=False)
    kept_workspaces._kept.clear()
    b = trained(tmp_path / "b.jsonl", **plain)
    try:
        found = fastmlp.bisect(a, b, X, Y)
    finally:
        registry._functions.pop(key, None)
        kept_workspaces._kept.clear()
    assert (found.epoch, found.agrees) == (2, "b")
    assert (found.place.epoch, found.place.batch, found.place.kernel) == (1, 1, "optimizers.gradient_descent")


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("rows", "K", "J"), [(1, 2, 3), (7, 4, 6), (100, 33, 70), (513, 9, 3)])
def test_layers_alone_have_the_reference_s_bits(rows, K, J, dtype):
    rng = np.random.default_rng(0)
    a, w, dz = (rng.standard_normal(shape).astype(dtype) for shape in ((rows, K), (K, J), (rows, J)))
    b = rng.standard_normal(J).astype(dtype)
    for way in layers.FILES if rows < 10 else ("streamed", "layered"):
        assert_same_bits(layers.forward(way, a, w, b), dense.dense_forward(a, w, b), way)
        assert_same_bits(layers.backward_input(way, dz, w), dense.dense_backward_input(dz, w), way)
        some = slice(1 if way == "rowwise" else 512)
        expected = np.vstack(dense.dense_backward_weights(a[some], dz[some]))
        assert_same_bits(layers.backward_weights(way, a[some], dz[some]), expected, way)


def test_the_decay_of_biases_is_a_number_of_the_update():
    """AdamW's factors lie behind the state."""
    MODELS["decay"] = {"layers": [4, 16, 3]}, {"optimizer": AdamW(decay_biases=False), "batch_size": 45}
    assert place_of("decay", all_pairs=True) is None
