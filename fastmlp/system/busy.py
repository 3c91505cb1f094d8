"""Lets one call at a time change a model, even after a call that ended without saying so."""

from __future__ import annotations

import sys
import threading
from types import FrameType


class Use:
    """One call's use of a model. It is over when `end` is called, or when the call is gone, whatever ended it."""

    __slots__ = ("_frame", "_next", "_over", "_thread")

    def __init__(self, frame: FrameType | None) -> None:
        self._frame, self._thread, self._over = frame, threading.get_ident(), frame is None
        self._next: dict[int, Use] = {}  # at 0, the use after this one

    def end(self) -> None:
        """Marks the use as over."""
        self._over = True
        self._frame = None

    def follower(self) -> Use | None:
        """Returns the use that came after this one, or None."""
        return self._next.get(0)

    def is_followed_by(self, other: Use) -> bool:
        """Makes `other` the use after this one, and tells whether it is; if several try, one of them succeeds."""
        return self._next.setdefault(0, other) is other  # one call into C

    def is_going_on(self) -> bool:
        """Tells whether the call is still in its thread's stack."""
        if self._over:
            return False
        frame = sys._current_frames().get(self._thread)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        found, frame = frame is not None, None  # else the frame refers to itself, and keeps a fit's rows alive
        return found


class Busy:
    """A model's uses, one after the other."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = Use(None)

    def begin(self, message: str, frame: FrameType | None = None) -> Use:
        """Returns the use of the calling function, or of the one with this frame in the calling thread.

        Raises RuntimeError with the message while another use is going on.
        """
        mine, last = Use(frame or sys._getframe(1)), self._last
        while True:
            while (later := last.follower()) is not None:
                last = later
            if last.is_going_on():
                raise RuntimeError(message)
            if last.is_followed_by(mine):
                self._last = mine
                return mine
