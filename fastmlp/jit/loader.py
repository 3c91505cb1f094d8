"""Brings kernels into this process: they are linked from the cache, or compiled, cached and linked.

Each step has a thread of its own: one links, one does Numba's part of compiling, and one LLVM's. So linking does not
wait for compiling, and LLVM works on one kernel in parallel with Numba on the next. A thread finishes what it has
begun, whether or not anybody waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastmlp.jit import cache, compilation, machine_code
from fastmlp.system import background

Key = tuple[str, str]  # a kernel's name and dtype

_linker, _llvm = background.Worker(), background.Worker()


class Loader:
    """The kernels of this process.

    find: returns a kernel's Python function and its Numba signature; it may import what these need.
    """

    def __init__(self, find: Callable[[str, str], tuple[Callable[..., Any], Any]]):
        self.addresses: dict[Key, int] = {}
        self.loading: dict[Key, _Kernel] = {}
        self.seconds: list[float] = []  # that callers waited for each kernel
        self.find = find
        background.when_forgotten(self.loading.clear)

    def address(self, name: str, dtype: str) -> int:
        """Returns a kernel's address, and loads the kernel if necessary.

        Raises what compiling it raises, to each caller that waits.
        """
        found = self.addresses.get((name, dtype))
        if found is not None:
            return found
        started = time.perf_counter()
        if background.inside():  # for example in a destructor that runs in one of these threads
            found = self.addresses.setdefault((name, dtype), self.now((name, dtype)))
        else:
            found = self._asked_for((name, dtype)).wait()
        self.seconds.append(time.perf_counter() - started)
        cache.tell()
        return found

    def begin(self, name: str, dtype: str) -> None:
        """Starts loading a kernel in the background."""
        if (name, dtype) not in self.addresses and not background.inside():
            self._asked_for((name, dtype))

    def _asked_for(self, key: Key) -> _Kernel:
        """The kernel that is being loaded; starts loading it if necessary."""
        kernel = self.loading.get(key) or self.loading.setdefault(key, _Kernel(self, key))
        if not kernel.begun:  # perhaps not queued: another caller may have been interrupted before that
            _linker.put(kernel.link)
        return kernel

    def now(self, key: Key) -> int:
        """Loads a kernel in this thread, and returns its address."""
        address = _from_cache(key)
        return _keep(key, compilation.compile_function(*self.find(*key))) if address is None else address


def _from_cache(key: Key) -> int | None:
    """The address of a kernel that is linked from the cache, or None."""
    code = cache.read(*key)
    if code is None:
        return None
    try:
        return machine_code.link(code)
    except RuntimeError:  # it needs something that this process lacks, or is damaged
        return None


def _keep(key: Key, code: machine_code.Code) -> int:
    """Writes code to the cache, and links it."""
    cache.write(*key, code)
    return machine_code.link(code)


class _Kernel(background.Job):
    """A kernel that is being loaded, in the steps of three threads."""

    def __init__(self, loader: Loader, key: Key):
        super().__init__(self._begin_again)
        self.begun = False
        self._loader, self._key = loader, key

    def _begin_again(self) -> None:
        """Starts over."""
        self.begun = False
        _linker.put(self.link)

    def link(self) -> None:
        """The first step. It may be in the queue more than once."""
        self._step(self._link)

    def _link(self) -> None:
        """Links from the cache, or queues compiling."""
        if self.begun:
            return
        self.begun = True
        address = _from_cache(self._key)
        if address is None:
            compilation.WORKER.put(lambda: self._step(self._compile))
        else:
            self._found(address)

    def _compile(self) -> None:
        """Numba's part."""
        function, signature = self._loader.find(*self._key)
        try:
            finish = compilation.begin(function, signature)
        except MemoryError:
            raise
        except Exception:
            self._compile_otherwise()
        else:
            _llvm.put(lambda: self._step(self._finish, finish))

    def _finish(self, finish: Callable[[], machine_code.Code]) -> None:
        """LLVM's part."""
        try:
            code = finish()
        except MemoryError:
            raise
        except Exception:
            compilation.WORKER.put(lambda: self._step(self._compile_otherwise))
        else:
            self._found(_keep(self._key, code))

    def _compile_otherwise(self) -> None:
        """Compiles by Numba's whole compiler."""
        self._found(_keep(self._key, compilation.compile_by_numba(*self._loader.find(*self._key))))

    def _found(self, address: int) -> None:
        """Ends the loading."""
        self._loader.addresses.setdefault(self._key, address)
        self._loader.loading.pop(self._key, None)
        self.finish(self._loader.addresses[self._key])

    def _step(self, step: Callable[..., None], *arguments: Any) -> None:
        """Does a step. An error goes to those who wait; a later caller starts again."""
        try:
            step(*arguments)
        except BaseException as error:  # for those who wait; later callers start again
            self._loader.loading.pop(self._key, None)
            self.finish(error=error)
