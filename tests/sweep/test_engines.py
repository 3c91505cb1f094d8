"""The same table from joblib's processes and threads, and from a Dask cluster, one of whose workers is killed."""

import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest
from sweep.tables import blobs, table

from fastmlp.sweep import Sweep, engines
from fastmlp.system import thread_pool

X, y = blobs()
GRID = {"learning_rate": [0.05, 1e30], "width": [4, 6], "depth": [0, 1], "seed": range(3)}
CORES = thread_pool.cores()
OPTIONS = {"epochs": 30, "batch_size": 4, "validation": 0.2, "early_stopping": 10}


def sweep():
    return Sweep(GRID, base={"output": "identity"})


@pytest.fixture(scope="module")
def whole():
    result = sweep().fit(X, y * 1.0, **OPTIONS)
    assert {found.state for found in result} == {"trained", "diverged"}
    return result


@pytest.mark.parametrize("kind", ["threading", "loky"])
def test_joblib(kind, whole, tmp_path):
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    with joblib.parallel_config(kind, n_jobs=2):
        found = sweep().fit(X, y * 1.0, backend="joblib", keep="none", folder=tmp_path, **OPTIONS)
    assert table(found) == table(whole)
    assert found.models == [None] * len(whole)


@pytest.fixture(scope="module")
def client():
    """A client of three worker processes, each with a nanny that replaces it."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    kinds = {"n_workers": 3, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**kinds, silence_logs=50) as cluster, distributed.Client(cluster) as found:
        found.run(os.getpid)
        yield found


def test_a_worker_that_is_killed(client, whole):
    """The first task of a worker kills it; all is there in the end, and nothing is done twice in the table."""
    pids = list(client.run(os.getpid).values())
    wanted = {**OPTIONS, "epochs": 400, "early_stopping": None}
    expected = sweep().fit(X, y * 1.0, keep="none", **wanted)
    one = sweep()

    def kill():
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if one.result is not None and any(found.state != "not run" for found in one.result):
                os.kill(pids[0], signal.SIGKILL)
                killed.append(sum(found.state == "not run" for found in one.result))
                return
            time.sleep(0.001)

    killed = []
    thread = threading.Thread(target=kill)
    thread.start()
    found = one.fit(X, y * 1.0, client=client, **wanted)
    thread.join()
    assert killed
    assert killed[0] > 0
    assert table(found) == table(expected)


@pytest.mark.slow
def test_a_task_s_threads_are_its_fraction_of_the_cores(client):
    client.wait_for_workers(3)
    hosts = engines._hosts(client)
    assert sum(hosts.values()) == 3
    seen = client.submit(_threads_of_a_task, hosts, pure=False).result()
    assert seen == max(1, thread_pool.cores() // 3)


@pytest.mark.sample(3)
@pytest.mark.parametrize("told", ["1", "3", "", "x", "0"])
def test_a_worker_process_uses_what_it_was_told(told, monkeypatch):
    """By joblib and Dask, in OMP_NUM_THREADS; any other process uses all cores, whatever is there."""
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    monkeypatch.setattr(thread_pool, "cores", lambda: 4)
    assert thread_pool.available() == 4
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        number = pool.apply(thread_pool.available)
    assert number == min(CORES, {"1": 1, "3": 3}.get(told, 256))


def _threads_of_a_task(hosts):
    found = []
    before, engines.work = engines.work, lambda asks, rows, threads, send: found.append(threads)
    try:
        engines._work_on_a_worker([], None, None, False, hosts)
    finally:
        engines.work = before
    return found[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dask", "loky"])
def test_a_point_that_kills_its_workers_is_reported(client, kind):
    points = [{"seed": seed} for seed in range(6)]
    one = Sweep(points)
    expected = one.fit(X, y, epochs=3)
    one.points[4]["class_weight"] = {0: 1.0, 1: Weight(os.getpid())}
    if kind == "dask":
        found = one.fit(X, y, client=client, epochs=3)
    else:
        joblib = pytest.importorskip("joblib", reason="joblib is not installed")
        with joblib.parallel_config("loky", n_jobs=2):
            found = one.fit(X, y, backend="joblib", epochs=3)
    assert [result.state for result in found] == ["trained"] * 4 + ["failed", "trained"]
    assert "died, again and again" in found[4].reason
    assert [found[k].digest for k in (0, 1, 2, 3, 5)] == [expected[k].digest for k in (0, 1, 2, 3, 5)]


class Weight(float):
    """A weight of 1 that ends each other process that it comes to."""

    def __new__(cls, pid):
        made = super().__new__(cls, 1.0)
        made.pid = pid
        return made

    def __reduce__(self):
        return _weight_elsewhere, (self.pid,)


def _weight_elsewhere(pid):
    if os.getpid() != pid:
        os.kill(os.getpid(), signal.SIGKILL)
    return Weight(pid)


@pytest.mark.slow
def test_dask(client, whole):
    found = sweep().fit(X, y * 1.0, client=client, **OPTIONS)
    assert table(found) == table(whole)
    assert [model.digest() for model in found.models] == [result.digest for result in whole]


@pytest.mark.slow
def test_a_closed_client_is_told():
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with distributed.LocalCluster(1, processes=False, threads_per_worker=1, dashboard_address=None) as cluster:
        client = distributed.Client(cluster)
        client.close()
        with pytest.raises(ValueError, match=r"client=.* is closed: connect another one"):
            sweep().fit(X, y * 1.0, client=client, **OPTIONS)


@pytest.mark.slow
def test_grid_search_by_dask(client):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    import joblib
    from sklearn.model_selection import GridSearchCV

    from fastmlp import MLPClassifier

    grid = {"alpha": [0.1, 1e-4], "hidden_layer_sizes": [(4,), (5, 3)]}
    made = [
        GridSearchCV(MLPClassifier(max_iter=20, tol=0, n_iter_no_change=99, random_state=1), grid, cv=3)
        for _ in range(2)
    ]
    made[0].fit(X, y)
    with joblib.parallel_config("dask"):
        made[1].fit(X, y)
    for column in ("mean_test_score", "std_test_score"):
        assert (made[0].cv_results_[column] == made[1].cv_results_[column]).all()
    for one, other in zip(made[0].best_estimator_.coefs_, made[1].best_estimator_.coefs_, strict=True):
        assert np.array_equal(one, other)
