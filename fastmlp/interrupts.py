"""Ctrl-C, where it has to wait for a moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def later() -> Iterator[None]:
    """Ctrl-C waits until this is over, whichever thread the system tells of it. In other threads it does nothing."""
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    # Python lets only the main thread set handlers; and one that is not Python's own could not be put back.
    waits = threading.current_thread() is threading.main_thread() and before is not None
    if waits:
        signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        yield
    finally:
        if waits:
            signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)
