"""Models in files: what is loaded is equal in everything, and what cannot be a model is refused with a clear error."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from models import BACKENDS, SEEDS, TRAININGS, bits, figures, in_another_process, inside, learner, problem, rows, said

from fastmlp import SGD, Adagrad, Adam, AdamW, CrossEntropy, Huber, Model, Quantile, RMSprop, schedules
from fastmlp.schedules import Cosine, ReduceOnPlateau, WarmUp
from fastmlp.spec import HIDDEN
from fastmlp.storage import container

TESTS = str(Path(__file__).parents[1])
NETWORKS = [
    {"layers": [2, 2]},
    {"layers": [2, 3, 4, 2], "hidden": ["relu", "gelu_erf"]},
    *[{"layers": [2, 3, 2], "hidden": hidden} for hidden in HIDDEN],
    {"layers": [2, 3, 1], "output": "sigmoid"},
    {"layers": [2, 3, 2], "output": "sigmoid", "loss": "squared_error"},
    {"layers": [2, 3, 2], "loss": CrossEntropy(0.1)},
    {"layers": [2, 3, 1], "output": "identity"},
    {"layers": [2, 3, 1], "loss": "absolute_error"},
    {"layers": [2, 3, 1], "loss": Huber(0.3)},
    {"layers": [2, 3, 2], "loss": Quantile(0.1)},
    {"layers": [2, 3, 1], "output": "exponential"},
    {"layers": [2, 3, 2], "input_scale": True, "bias_init": 1.0},
]
OPTIMIZERS = [
    SGD(0.3), SGD(0.1, momentum=0.9, nesterov=True), Adam(beta_1=0.8), AdamW(weight_decay=0.3), RMSprop(decay=0.7),
    RMSprop(momentum=0.5), AdamW(weight_decay=Cosine(0.1, 3), decay_biases=False),
    Adagrad(initial_accumulator=0.2), Adam(WarmUp(2, Cosine(0.1, 7, floor=0.01), start=0.5)),
    SGD(ReduceOnPlateau(0.1, patience=0, metric="loss")),
    *[SGD(TRAININGS[name]["learning_rate"]) for name in ("step", "exponential", "inverse", "cycle", "warm-up")],
    SGD(schedules.Constant(0.1)),
]  # fmt: skip


def through(model, folder, **arguments):
    model.save(folder / "model")
    return Model.load(folder / "model", **arguments)


def data_for(spec, count=9):
    x = rows(count, spec.inputs)
    y = np.arange(count) % 2
    return x, y if spec.outputs == 1 or spec.output == "softmax" else np.eye(2)[y]


# ---------------------------------------------------------------------------------------------------------
# There and back


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: " ".join(map(str, network.values())))
def test_a_loaded_model_is_equal(network, dtype, tmp_path):
    model = Model(**network, dtype=dtype, seed=7)
    x, y = data_for(model.spec)
    for trains in (False, True):
        if trains:
            model.fit(x, y, epochs=3, optimizer="adam")
        twin = through(model, tmp_path)
        assert (repr(twin), twin.spec, inside(twin)) == (repr(model), model.spec, inside(model))
        assert bits(twin) == bits(model)
        assert twin.predict(x).tobytes() == model.predict(x).tobytes()
        assert twin.evaluate(x, y) == model.evaluate(x, y)
        if model.spec.is_classifier:
            assert twin.predict_proba(x).tobytes() == model.predict_proba(x).tobytes()
        assert twin.history is None
    for each in (model, twin):
        each.fit(x, y, epochs=3, resume=True)
    assert inside(twin) == inside(model)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_a_loaded_optimizer_is_equal(optimizer, tmp_path):
    x, y = problem()
    model = learner()
    model.fit(x, y, epochs=3, optimizer=optimizer)
    twin = through(model, tmp_path)
    assert twin._network.run.optimizer == optimizer
    for each in (model, twin):
        each.fit(x, y, epochs=4, resume=True)
    assert inside(twin) == inside(model)
    assert figures(twin.history) == figures(model.history)


@pytest.mark.parametrize("seed", [0, 2**64 - 1, *SEEDS])
def test_seeds_come_back(seed, tmp_path):
    """With the number that dropout drew from them, and the draws that are left."""
    x, y = problem()
    model = Model([2, 5, 3], seed=SEEDS[seed]() if seed in SEEDS else seed)
    for options in ({}, {"dropout": 0.5}, {"validation": 0.3}):
        model.fit(x, y, epochs=2, batch_size=5, **options)
        twin = through(model, tmp_path)
        assert inside(twin) == inside(model)
        model.fit(x, y, epochs=2, batch_size=5, **options)
        twin.fit(x, y, epochs=2, batch_size=5, **options)
        assert inside(twin) == inside(model)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_has_no_backend(backend, tmp_path):
    x, y = problem()
    model = learner(backend=backend)
    model.fit(x, y, epochs=2)
    twins = [through(model, tmp_path), *(through(model, tmp_path, backend=other) for other in BACKENDS)]
    assert [twin.backend for twin in twins] == ["numba", *BACKENDS]
    for twin in twins:
        twin.fit(x, y, epochs=2, resume=True)
    assert inside(twins[0]) == inside(twins[1]) == inside(twins[2])
    assert "backend='cuda'" in said(ValueError, through, model, tmp_path, backend="cuda")


def test_equal_models_make_equal_files(tmp_path):
    x, y = problem()
    contents = []
    for name in ("one", "other"):
        model = learner("rng")
        model.fit(x, y, epochs=3, **TRAININGS["everything"])
        model.save(tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    Model.load(tmp_path / "one").save(str(tmp_path / "again"))
    assert contents[0] == contents[1] == (tmp_path / "again").read_bytes()


def test_saving_changes_nothing(tmp_path):
    model = learner("state")
    model.fit(*problem(), epochs=3, batch_size=7)
    before, history = inside(model), model.history
    model.save(tmp_path / "model")
    assert (inside(model), model.history) == (before, history)
    assert os.listdir(tmp_path) == ["model"]


def test_a_file_in_another_process(tmp_path):
    x, y = problem()
    model = learner("rng", dtype="float32")
    model.fit(x, y, epochs=3, batch_size=7, optimizer="adam", dropout=0.3)
    model.save(tmp_path / "model")
    script = (
        "import json, sys\nsys.path.insert(0, sys.argv[1])\n"
        "from models import inside, problem\nfrom fastmlp import Model\n"
        "model = Model.load(sys.argv[2])\nx, y = problem()\n"
        "print(json.dumps([inside(model), model.predict_proba(x).tobytes().hex()]))"
    )
    told = json.loads(in_another_process(script, TESTS, tmp_path / "model"))
    assert told == json.loads(json.dumps([inside(model), model.predict_proba(x).tobytes().hex()]))


def test_loading_compiles_nothing_and_needs_no_numba(tmp_path):
    learner().save(tmp_path / "model")
    script = "import sys\nfrom fastmlp import Model\nModel.load(sys.argv[1])\nprint('numba' in sys.modules)"
    assert in_another_process(script, tmp_path / "model").strip() == "False"


def test_a_seed_that_cannot_be_kept(tmp_path):
    class Own(np.random.RandomState):
        pass

    model = Model([2, 2], seed=Own(1))
    assert "seed" in said(TypeError, model.save, tmp_path / "model")
    assert os.listdir(tmp_path) == []


# ---------------------------------------------------------------------------------------------------------
# Files that are no models


@pytest.fixture
def saved(tmp_path):
    """(a file, the model that is in it): Adam's state, a plateau, and a generator's state and number."""
    model = learner("rng")
    model.fit(*problem(), epochs=3, batch_size=7, dropout=0.2, optimizer=Adam(ReduceOnPlateau(0.1)))
    model.save(tmp_path / "model")
    return tmp_path / "model", model


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Model.load(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        Model.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="folder"):
        learner().save(tmp_path / "no" / "model")


@pytest.mark.parametrize("content", [b"", b"{}", b"hello", b"PK\x03\x04" + bytes(99), b"\x80\x04\x95" + bytes(99)])
def test_foreign_files(content, tmp_path):
    (tmp_path / "model").write_bytes(content)
    assert str(tmp_path / "model") in said(ValueError, Model.load, tmp_path / "model")


def test_damaged_files(saved):
    path, _ = saved
    content = path.read_bytes()
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        assert str(path) in said(ValueError, Model.load, path)
    for place in range(0, len(content), 23):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        assert str(path) in said(ValueError, Model.load, path)
    path.write_bytes(content + b"\0")
    assert str(path) in said(ValueError, Model.load, path)


def test_tensors_of_others(tmp_path):
    container.write(tmp_path / "file", {"w": np.zeros(3)}, {"name": "something else"})
    assert "not a model" in said(ValueError, Model.load, tmp_path / "file")
    container.write(tmp_path / "file", {}, {"kind": "table"})
    assert "holds a table, not a model" in said(ValueError, Model.load, tmp_path / "file")
    container.write(tmp_path / "file", {}, {"kind": "model", "numerics": 99, "fastmlp": "7.0"})
    message = said(ValueError, Model.load, tmp_path / "file")
    for word in ("numerics version 99", "version 1", "fastmlp 7.0"):
        assert word in message


GONE = object()
# a place in the header, what stands there instead, and a word of what is said
HEADERS = [
    *[((key,), GONE, key) for key in ("spec", "seed", "drawn_seed", "epochs", "run")],
    *[(("spec", key), GONE, key) for key in ("layers", "hidden", "output", "loss", "dtype", "loss_parameter")],
    *[(("run", key), GONE, key) for key in ("optimizer", "learning_rate", "powers", "epochs", "plateau", "spoilt")],
    *[(("spec",), value, "") for value in (None, [], "x", 3)],
    (("spec", "layers"), [2, 6, 3], "layers.0.w"),
    (("spec", "layers"), [2, 5, 4], "layers.1.w"),
    (("spec", "layers"), [2, 5, 5, 3], "hidden"),
    (("spec", "layers"), [2, 3], "hidden"),
    (("spec", "layers"), [2, 2**31, 3], "layers.0.w"),  # gigabytes that nobody must ask for
    (("spec", "layers"), [2, 2**70, 3], "layers"),
    (("spec", "layers"), [2, "5", 3], "layers"),
    (("spec", "layers"), [], "layers"),
    (("spec", "layers"), None, "layers"),
    (("spec", "hidden"), ["tanh", "tanh"], "hidden"),
    (("spec", "hidden"), ["swish"], "swish"),
    (("spec", "output"), "linear", "linear"),
    (("spec", "output"), "Softmax", "its output is 'Softmax'"),  # as a file never spells it
    (("spec", "hidden"), ["ReLU"], "its hidden is ['ReLU']"),
    (("spec", "loss"), "CrossEntropyLoss", "its loss is 'CrossEntropyLoss'"),
    (("spec", "output"), "identity", "output"),
    (("spec", "loss"), "mse", "mse"),
    (("spec", "loss_parameter"), "x", ""),
    (("spec", "loss_parameter"), 2.0, "label_smoothing"),
    (("spec", "dtype"), "float32", "float32"),
    (("spec", "dtype"), "int8", "dtype"),
    *[(("epochs",), value, "") for value in (-1, 2.5, "3", None, True, 2**32, 2)],  # 2: fewer than the run's
    *[(("drawn_seed",), value, "") for value in (-1, 2.5, "3", True)],
    *[(("seed",), value, "seed") for value in (None, 3, {}, {"kind": "int", "seed": -1})],
    *[(("run",), value, "") for value in ({}, [], "x", 3, True)],
    *[(("run", "epochs"), value, "") for value in (-1, 2.5, None, 4, 2**32)],
    *[
        (("run", "powers"), value, "powers")
        for value in ([1.0], [1.0, 1.0, 1.0], [2.0, 1.0], [-1.0, 1.0], "0.5", 0.5, None, [[1.0], [1.0]], ["1", "1"])
    ],
    *[(("run", "learning_rate"), value, "") for value in (0, -1.0, None, "x", True, {}, {"name": "cosine"}, [0.1])],
    (("run", "learning_rate"), 0.1, "plateau"),  # and a plateau's state
    (("run", "optimizer"), {"name": "adm"}, "adm"),
    (("run", "optimizer"), {"name": "sgd", "momentum": 0.9, "nesterov": False}, "optimizer.1"),  # one vector too many
    (("run", "optimizer"), {"name": "sgd", "momentum": 0.0, "nesterov": False}, "optimizer."),
    (("run", "optimizer"), None, ""),
    (("run", "optimizer", "beta_1"), 1.5, "beta_1"),
    (("run", "optimizer", "beta_3"), 0.5, "beta_3"),
    *[
        (("run", "plateau"), value, "")
        for value in ({}, [], 3, {"rate": -1, "best": None, "waited": 0, "metric": None})
    ],
    (("run", "plateau", "rate"), "x", "rate"),
    (("run", "plateau", "waited"), -1, "waited"),
    (("run", "spoilt"), 3, "spoilt"),
]


@pytest.mark.parametrize(("place", "value", "word"), HEADERS)
def test_headers_that_do_not_fit(place, value, word, saved):
    path, _ = saved
    tensors, header = container.read(path)
    inner = header
    for key in place[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    container.write(path, tensors, header)
    message = said(ValueError, Model.load, path)
    assert f"{path} has parts that do not fit together: " in message
    assert word in message
    if value is GONE:
        assert f"it has no '{word}'" in message
    assert "object" not in message  # of Python's own words about its objects
    assert len(message) < 400 + len(str(path))


@pytest.mark.parametrize("name", ["layers.0.w", "layers.0.b", "layers.1.w", "layers.1.b", "optimizer.0", "optimizer.1"])
@pytest.mark.parametrize("change", ["gone", "shape", "dtype", "turned", "nan"])
def test_tensors_that_do_not_fit(name, change, saved):
    path, _ = saved
    tensors, header = container.read(path)
    tensor = tensors.pop(name)
    if change == "shape":
        tensors[name] = np.concatenate([tensor, tensor])
    elif change == "dtype":
        tensors[name] = tensor.astype(np.float32)
    elif change == "turned":
        tensors[name] = tensor.reshape(tensor.shape[::-1] if tensor.ndim == 2 else (1, -1))
    elif change == "nan":
        tensors[name] = np.full_like(tensor, np.nan)
    container.write(path, tensors, header)
    if change == "nan" and name.startswith("optimizer"):  # it diverges in words, when it comes to that
        assert len(Model.load(path).fit(*problem(), epochs=2)) == 2
        return
    message = said(ValueError, Model.load, path)
    assert "parts that do not fit together" in message
    assert ("finite" if change == "nan" else name) in message


@pytest.mark.parametrize("name", ["layers.2.w", "optimizer.2", "mean"])
def test_tensors_that_are_too_many(name, saved):
    path, _ = saved
    tensors, header = container.read(path)
    container.write(path, {**tensors, name: np.zeros(3)}, header)
    assert name in said(ValueError, Model.load, path)


def test_an_untouched_copy_of_the_parts_is_a_model(saved):
    """Or else the tests above would pass for another reason."""
    path, model = saved
    container.write(path, *container.read(path))
    assert inside(Model.load(path)) == inside(model)


def test_a_loaded_model_leaves_its_file_alone(saved):
    path, _ = saved
    before = path.read_bytes()
    Model.load(path).fit(*problem(), epochs=3)
    assert path.read_bytes() == before
