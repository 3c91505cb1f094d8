"""Where a sweep's models are trained: in this process, by joblib, or by the workers of a Dask cluster.

Results are taken in any order. What a model becomes does not depend on where it is trained.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fastmlp.checks.messages import cut, lacks, shown
from fastmlp.history import History
from fastmlp.sweep.asks import Ask
from fastmlp.sweep.results import FAILED, Result
from fastmlp.sweep.rows import Rows
from fastmlp.sweep.run import Taker, in_words, train
from fastmlp.system import thread_pool

PARTS = 4  # chunks for each worker: what one loses is done again, and none waits long for the last
LARGEST = 64  # models of a chunk
RETRIES = 3  # after a worker's death


def here(asks: Sequence[Ask], rows: Rows, threads: int | None, send: bool, taker: Taker) -> None:
    """In this process. send: with the models."""
    train(sorted(asks, key=_shape), rows, threads, send, taker)


def chunks(asks: Sequence[Ask], size: int) -> Iterator[list[Ask]]:
    """So many at a time, those of one shape together."""
    for _, alike in itertools.groupby(sorted(asks, key=_shape), key=lambda ask: _shape(ask)[:3]):
        group = list(alike)
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _shape(ask: Ask) -> tuple[tuple[int, ...], str, tuple[str, ...], int]:
    """An order in which models that may be trained in one group follow each other."""
    return ask.spec.layers, ask.spec.dtype, ask.spec.hidden, ask.number


def size_for(count: int, workers: int) -> int:
    """How many models a worker gets at a time."""
    return max(1, min(LARGEST, -(-count // (PARTS * workers))))


def given_up(asks: Iterable[Ask], why: str) -> Iterator[Result]:
    """Results of models whose workers died again and again."""
    for ask in asks:
        yield Result(ask.number, ask.point, FAILED, why, History(), parameters=ask.spec.parameters)


def work(asks: Sequence[Ask], rows: Rows, threads: int, send: bool) -> list[Result]:
    """What a worker does."""
    results = _Results()
    train(asks, rows, threads, send, results)
    return results


class _Results(list[Result]):
    """The results of a worker, which tells nobody before all are there."""

    def told(self, number: int, epochs: int) -> None:
        """Nothing."""

    take = list[Result].append


# ---------------------------------------------------------------------------------------------------------
# joblib


def by_joblib(asks: Sequence[Ask], rows: Rows, threads: int | None, send: bool, taker: Taker) -> None:
    """By what `joblib.parallel_config` names. Processes that die are replaced, and what they had is done again."""
    try:
        import joblib
    except ImportError as error:
        raise ImportError(lacks('backend="joblib" needs', "joblib")) from error
    jobs = joblib.effective_n_jobs(None)
    threads = threads or max(1, thread_pool.cores() // jobs)
    left = {ask.number: ask for ask in asks}

    def take(some: Iterable[list[Ask]]) -> None:
        calls = [joblib.delayed(work)(part, rows, threads, send) for part in some]
        for results in _unordered(joblib)(calls):
            for result in results:
                del left[result.number]
                taker.take(result)

    for size in (size_for(len(asks), jobs), 1, 1):
        try:
            return take(chunks(list(left.values()), size))
        except Exception as error:
            if not _has_lost_workers(error):
                raise
    for ask in list(left.values()):  # one of them may be what a worker dies of, and takes the others' workers with it
        try:
            take([[ask]])
        except Exception as error:
            if not _has_lost_workers(error):
                raise
            for result in given_up([ask], cut(f"its worker died, again and again: {in_words(error)}", 300)):
                taker.take(result)
    return None


def _unordered(joblib: Any) -> Any:
    """A Parallel that gives what is done as it is done, where the backend can."""
    try:
        return joblib.Parallel(return_as="generator_unordered")
    except (TypeError, ValueError):  # an older joblib, or a backend that waits for all
        return joblib.Parallel()


def _has_lost_workers(error: Exception) -> bool:
    """Whether a process of the pool is gone: killed, or out of memory."""
    return any(kind.__name__ in ("BrokenProcessPool", "TerminatedWorkerError") for kind in type(error).__mro__)


# ---------------------------------------------------------------------------------------------------------
# Dask


def by_dask(client: Any, asks: Sequence[Ask], rows: Rows, threads: int | None, send: bool, taker: Taker) -> None:
    """By the workers of a cluster. The rows are sent once; what a lost worker had is done again by others."""
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ImportError(lacks("client needs", "dask.distributed", "cluster")) from error
    if not isinstance(client, Client) or client.asynchronous:
        raise TypeError(f"client={shown(client)} is not a dask.distributed.Client of ordinary, synchronous calls")
    if client.status == "closed":
        raise ValueError(f"client={shown(client)} is closed: connect another one")
    hosts = _hosts(client)
    if not hosts:
        raise ValueError(f"client={shown(client)} has no workers: start some, or wait for them, before the sweep")
    here_rows = _scattered(client, rows)
    tries = dict.fromkeys((ask.number for ask in asks), 0)
    futures: dict[Any, list[Ask]] = {}

    def submit(some: list[Ask]) -> Any:
        future = client.submit(_work_on_a_worker, some, here_rows, threads, send, hosts, retries=RETRIES, pure=False)
        futures[future] = some
        return future

    size = size_for(len(asks), sum(hosts.values()))
    try:
        waiting = as_completed([submit(some) for some in chunks(asks, size)])
        for future in waiting:
            some = futures.pop(future)
            try:
                results = future.result()
            except Exception as error:  # its workers died, or the rows went with the last worker that had them
                lost = list(_again(some, tries))
                if lost:
                    here_rows = _scattered(client, rows)
                for ask in lost:  # one at a time: one of them may be what a worker dies of
                    waiting.add(submit([ask]))
                why = cut(f"its workers died, again and again: {in_words(error)}", 300)
                results = list(given_up((ask for ask in some if ask not in lost), why))
            for result in results:
                taker.take(result)
            future.release()
    finally:
        if futures:
            client.cancel(list(futures))


def _again(some: Sequence[Ask], tries: dict[int, int]) -> Iterator[Ask]:
    """Those that have not been tried too often."""
    for ask in some:
        tries[ask.number] += 1
        if tries[ask.number] <= RETRIES:
            yield ask


def _scattered(client: Any, rows: Rows) -> Any:
    """The rows on all workers, so that none is the only one that has them."""
    return client.scatter(rows, broadcast=True, hash=False)


def _hosts(client: Any) -> dict[str, int]:
    """{machine: threads of its workers}."""
    found: dict[str, int] = {}
    for address, threads in client.nthreads().items():
        host = _host(address)
        found[host] = found.get(host, 0) + threads
    return found


def _host(address: str) -> str:
    """The machine of a worker's address, as tcp://10.0.0.3:4711."""
    return address.partition("://")[2].rpartition(":")[0] or address


def _work_on_a_worker(
    asks: Sequence[Ask], rows: Rows, threads: int | None, send: bool, hosts: dict[str, int]
) -> list[Result]:
    """`work`, by default with this task's fraction of the machine's cores."""
    if threads is None:
        from distributed import get_worker

        tasks = hosts.get(_host(get_worker().address), 1)
        threads = thread_pool.asked() or max(1, thread_pool.cores() // tasks)
    return work(asks, rows, threads, send)
