"""Sparse rows go to the kernels some batches at a time: the bits are those of the dense rows, and the memory is not."""

import tracemalloc
import warnings

import numpy as np
import pytest
from scipy import sparse

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.engine import numba_backend, row_stream
from fastmlp.engine.initial_weights import initial_parameters
from fastmlp.estimators import problem
from fastmlp.estimators.sparse_rows import SparseRows
from fastmlp.spec import Spec
from fastmlp.training import Training

WIDE = {"hidden_layer_sizes": (100,), "batch_size": 110}  # of 210 columns: the layered pass
FORMS = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "array": sparse.csr_array}


def rows(N=310, K=23, seed=0, dtype=np.float64):
    random = np.random.RandomState(seed)
    X = np.where(random.rand(N, K) < 0.2, random.randn(N, K), 0).astype(dtype)
    return X, random.randint(0, 3, N)


@pytest.fixture
def streamed(monkeypatch):
    """Has every sparse X streamed, two batches or some rows at a time. Gives the number of groups that were written."""
    monkeypatch.setattr(problem, "AT_ONCE", 0)
    monkeypatch.setattr(row_stream, "GROUP_BYTES", 9000)
    monkeypatch.setattr(row_stream, "LARGE", 4000)  # so that some are let go between epochs
    written = []
    plain = row_stream.RowStream.write
    monkeypatch.setattr(
        row_stream.RowStream, "write", lambda self, *given: (written.append(len(given[1])), plain(self, *given))[1]
    )
    return written


def parts(made):
    names = "loss_curve_", "validation_scores_", "validation_loss_curve_"
    curves = [getattr(made, name, None) or [] for name in names]
    return [*made.coefs_, *made.intercepts_, *map(np.array, curves), np.array([made.n_iter_, made.t_])]


def assert_same(a, b):
    for one, other in zip(parts(a), parts(b), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def both(kind, X, y, form="csr", **parameters):
    """The dense fit and the sparse one."""
    parameters = {"max_iter": 4, "random_state": 3, "hidden_layer_sizes": (9, 5), "batch_size": 20, **parameters}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [kind(**parameters).fit(given, y) for given in (X, FORMS[form](X))]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "sgd", "shuffle": False, "alpha": 0.0},
        {"batch_size": 1, "max_iter": 2},
        {"batch_size": 299},
        {"dropout": 0.3, "activation": "tanh"},
        {"early_stopping": True, "max_iter": 9},
        {"early_stopping": True, "class_weight": "balanced", "batch_size": 33},
        {"hidden_layer_sizes": (), "learning_rate_init": 0.1},
        {"n_threads": 2, "batch_size": 103},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_bits_are_those_of_dense_rows(streamed, parameters, dtype):
    X, y = rows(dtype=dtype)
    dense, made = both(MLPClassifier, X, y, **parameters)
    assert_same(made, dense)
    assert len(streamed) >= 2 * made.n_iter_
    np.testing.assert_array_equal(made.predict_proba(sparse.csr_matrix(X)), dense.predict_proba(X))


@pytest.mark.parametrize("more", [{}, {"early_stopping": True}, {"n_threads": 2}, {"dropout": 0.2, "shuffle": False}])
def test_the_layered_pass(streamed, more):
    X, y = rows(N=500, K=210)
    dense, made = both(MLPClassifier, X, y, **WIDE, **more)
    assert_same(made, dense)


def test_a_team_of_the_streamed_pass(streamed):
    X, y = rows(N=2600, K=5)
    dense, made = both(MLPClassifier, X, y, batch_size=1100, n_threads=2, max_iter=3)
    assert_same(made, dense)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_quantities_with_weights_and_validation(streamed, loss):
    X, y = rows()
    y = np.column_stack([y, y**2]).astype(float)
    weights = np.random.RandomState(1).rand(len(X))
    made = []
    for form in (np.asarray, sparse.csc_matrix):
        kind = MLPRegressor(loss, (7,), batch_size=50, max_iter=3, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            held = {"X_val": form(X[:60]), "y_val": y[:60], "sample_weight_val": weights[:60]}
            kind.fit(form(X[60:]), y[60:], weights[60:], **held)
        made.append(kind)
    assert_same(*made)


def test_partial_fit_and_warm_start(streamed):
    X, y = rows()
    made = []
    for form in (np.asarray, sparse.csr_matrix):
        kind = MLPClassifier((6,), batch_size=30, random_state=0, warm_start=True, max_iter=2)
        for _ in range(2):
            kind.partial_fit(form(X[:150]), y[:150], classes=[0, 1, 2])
            kind.partial_fit(form(X[150:]), y[150:])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind.fit(form(X), y)
        made.append(kind)
    assert_same(*made)


def test_matrices_of_every_kind(streamed):
    """Columns out of order, numbers in parts, zeros that are kept, -0, empty rows, a network of another dtype."""
    X, y = rows()
    X[5] = 0
    csr = sparse.csr_matrix(X)
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(csr.indptr, csr.indptr[1:], strict=False)])
    turned = sparse.csr_matrix((csr.data[order], csr.indices[order], csr.indptr), csr.shape)
    thirds = sparse.csr_matrix((np.repeat(csr.data / 3, 3), np.repeat(csr.indices, 3), 3 * csr.indptr), csr.shape)
    kept = csr.copy()
    kept.data[::3], kept.data[1::7] = 0.0, -0.0
    for matrix in (turned, thirds, kept):
        before = [matrix.data.copy(), matrix.indices.copy()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dense, made = (
                MLPClassifier((4,), batch_size=40, max_iter=2, random_state=0).fit(given, y)
                for given in (matrix.toarray(), matrix)
            )
        assert_same(made, dense)
        np.testing.assert_array_equal(matrix.data, before[0])
        np.testing.assert_array_equal(matrix.indices, before[1])
    narrow = both(MLPClassifier, X.astype(np.float32), y)[0]
    np.testing.assert_array_equal(narrow.predict_proba(csr), narrow.predict_proba(X))
    np.testing.assert_array_equal(made.predict(csr[:1]), made.predict(X[:1]))
    huge = csr.copy()
    huge.data[3] = 1e300
    with pytest.raises(ValueError, match="X has a value too large for float32, which the network is trained in"):
        narrow.predict(huge)


@pytest.mark.parametrize("layered", [False, True])
def test_rows_are_written_as_toarray_has_them(layered):
    """To the bit, -0 and a number in two parts among them; behind them comes a 1 for the layered pass."""
    csr = sparse.csr_matrix(rows()[0])
    csr.data[::5] = -0.0
    parts = sparse.csr_matrix((np.repeat(csr.data / 2, 2), np.repeat(csr.indices, 2), 2 * csr.indptr), csr.shape)
    for matrix in (csr, parts):
        stream = row_stream.RowStream(SparseRows(matrix, np.dtype(float)), 10, layered)
        for numbers in (np.arange(9, -1, -1), np.arange(30, 34), np.array([5, 5, 9])):
            address = stream.write(40, numbers)
            assert stream.x[: len(numbers)].tobytes() == matrix.toarray()[numbers].tobytes()
            assert not stream.x[len(numbers) :].any()
            assert address == stream.x.ctypes.data - 40 * stream.x.strides[0]
        behind = np.lib.stride_tricks.as_strided(stream.x, (stream.group, 24))[:, 23]
        assert not layered or (behind == 1).all()


def test_what_diverges(streamed):
    X, y = rows(K=210)
    said = []
    for form in (np.asarray, sparse.csr_matrix):
        kind = MLPClassifier((9,), solver="sgd", learning_rate_init=1e30, batch_size=50, max_iter=5, random_state=0)
        with pytest.raises(ValueError, match="Solver produced non-finite parameter weights") as error:
            kind.fit(form(1e9 * X), y)
        said.append(str(error.value))
        assert not hasattr(kind, "coefs_")
    assert said[0] == said[1]


def test_validation_where_logits_are_not_finite(streamed):
    from fastmlp.engine import numba_backend
    from fastmlp.spec import Spec

    X, y = rows()
    spec = Spec.build([23, 4, 3], "identity", "softmax", None, "float64")
    parameters = np.random.RandomState(0).randn(spec.parameters)
    source, labels = SparseRows(sparse.csr_matrix(X), np.dtype(float)), y.astype(float)
    for scale in (1.0, 1e154, 1e200):
        with np.errstate(all="ignore"):
            found = [numba_backend.evaluate(spec, scale * parameters, given, labels) for given in (X, source)]
        np.testing.assert_array_equal(*found)
    assert not np.isfinite(found[0][0])


def test_after_an_interrupt_within_a_write_the_rows_are_written_again(streamed):
    X, _ = rows()
    stream = row_stream.RowStream(SparseRows(sparse.csr_matrix(X), np.dtype(float)), 10)
    stream.write(0, np.arange(10))
    plain = SparseRows.write

    def interrupted(self, numbers, to):
        plain(self, numbers[:4], to[:4])
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SparseRows, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stream.write(10, np.arange(10, 20))
    stream.write(20, np.arange(20, 30))
    np.testing.assert_array_equal(stream.x[:10], X[20:30])


def test_rows_are_never_all_dense():
    """The dense rows would be 64 MB."""
    X = sparse.random(2000, 4000, density=0.002, format="csr", random_state=0)
    y = np.arange(2000) % 2
    made = MLPClassifier((2,), max_iter=1, random_state=0, early_stopping=True, batch_size=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.fit(X[:300, :50], y[:300])  # imports and kernels
        tracemalloc.start()
        try:
            made.fit(X, y).predict(X)
            made.set_params(early_stopping=False).partial_fit(X, y)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 25e6  # a batch of 100 rows is 3.2 MB, and the validation's 200 rows 6.4


def test_the_engine_streams_for_an_input_scale_and_probabilities_too(streamed):
    X, _ = rows()
    soft = np.random.RandomState(5).dirichlet([0.5] * 3, len(X))
    spec = Spec.build([23, 9, 3], "mish", input_scale=True)
    training = Training(3, 0.05, 20, 1, lambda epoch: np.random.RandomState(epoch).permutation(310))
    found = []
    for x in (X, SparseRows(FORMS["csr"](X), X.dtype)):
        parameters = initial_parameters(spec, "lecun_normal", 1, "numba", 1.0)
        losses = [step.records["loss"] for step in numba_backend.train(spec, parameters, x, soft, training)]
        score = numba_backend.evaluate(spec, parameters, x, soft)
        outputs = numba_backend.outputs(spec, parameters, x)
        found.append((parameters, np.concatenate(losses), np.array(score), outputs))
    assert np.ptp(spec.scale_of(found[0][0])) > 0
    assert len(streamed) > 20
    for dense, streamed_one in zip(*found, strict=True):
        np.testing.assert_array_equal(dense, streamed_one)
