"""Whether this process may have so much more memory: asked before LLVM is, which aborts the process where it may not.

The figures were found by limits (`ulimit -v`) in processes whose heap had nothing left: a kernel's link took up to 0.4
MB, the first of a process 1.2; Numba's and LLVM's parts of a compile up to 64 MB each, and both are at work at once.
"""

from __future__ import annotations

import mmap

MB = 1 << 20
LINK = 3 * MB
COMPILE = 128 * MB
THREAD = 10 * MB  # its stack, 8 MB on Linux where nobody chose another, and its first objects


def need(size: int, what: str, code: int = 0) -> None:
    """Raises MemoryError where `size` bytes more to write to are refused, or `code` more to read. Takes 5 us.

    It touches no memory. Another thread may take what was there; and a limit on memory in use, as a container's,
    refuses nothing: it ends the process when the memory is touched.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    try:
        if code:
            mmap.mmap(-1, code, flags=flags, prot=mmap.PROT_READ).close()
        mmap.mmap(-1, size, flags=flags).close()
    except (OSError, MemoryError):
        raise MemoryError(
            f"{what} takes up to {-(-(size + code) // MB)} MB of memory, which this process may not have: "
            "raise its limit (ulimit -v, ulimit -d), or free memory"
        ) from None
