"""Whether this process may allocate so much more memory. LLVM ends the process if it is refused memory.

The figures were found with limits (`ulimit -v`) in processes whose heap was full. Linking a kernel took up to 0.4 MB,
the first link of a process 1.2. Numba's and LLVM's parts of compiling one take up to 64 MB each, and both work at the
same time.
"""

from __future__ import annotations

import mmap

MB = 1 << 20
LINK = 3 * MB
COMPILE = 128 * MB
THREAD = 10 * MB  # its stack, 8 MB by default on Linux, and its first objects


def need(size: int, what: str, code: int = 0) -> None:
    """Raises MemoryError if `size` bytes of writable memory, or `code` bytes of readable memory, are refused.

    Takes 5 us.

    It touches no memory. Another thread may take what was free. A limit on memory in use, such as a container's,
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
