"""The state of a model's seed, as plain numbers, lists and dicts for a file, and back.

Imports NumPy. A state from a file is checked before NumPy gets it: NumPy trusts a position in a buffer, and would read
beyond the buffer's end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp.checks.messages import shown

Seed = int | np.random.Generator | np.random.RandomState

_WORD = {"has_uint32": 2, "uinteger": 2**32}  # the half of a 64-bit draw that is kept for the next 32-bit draw
_PCG = {"state": {"state": 2**128, "inc": 2**128}, **_WORD}
# What each state holds besides its name: n is a number from 0 to n - 1, (c, n) a list of c of them, a dict both.
_STATES: dict[str, dict[str, Any]] = {
    "PCG64": _PCG,
    "PCG64DXSM": _PCG,
    "MT19937": {"state": {"key": (624, 2**32), "pos": 625}},
    "Philox": {"state": {"counter": (4, 2**64), "key": (2, 2**64)}, "buffer": (4, 2**64), "buffer_pos": 5, **_WORD},
    "SFC64": {"state": {"state": (4, 2**64)}, **_WORD},
}
_BIT_GENERATORS = {name: getattr(np.random, name) for name in _STATES}
_LEGACY = {**_STATES["MT19937"], "has_gauss": 2}


def state_of(seed: Any) -> dict[str, Any]:
    """Returns the state of a seed in a form that JSON can hold.

    `from_state` makes a seed of it that has the same next draws.

    Parameters
    ----------
    seed : int, numpy.random.Generator or numpy.random.RandomState
        An int from 0 to 2^64 - 1, a Generator over one of NumPy's bit generators, or a RandomState over MT19937.

    Returns
    -------
    dict
        A RandomState's kept second normal number is included. A Generator's seed sequence, which only `spawn` uses, is
        not.

    Raises
    ------
    TypeError
        For generators of other classes.
    ValueError
        For an int out of range.
    """
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed={shown(seed)} is out of range: give a whole number from 0 to 2**64 - 1")
        return {"kind": "int", "seed": int(seed)}
    if type(seed) is np.random.RandomState:
        state: Any = seed.get_state(legacy=False)
        if state["bit_generator"] != "MT19937":
            raise _refusal(f"a RandomState over {state['bit_generator']}")
        return {"kind": "RandomState", **_plain(state)}
    if type(seed) is np.random.Generator:
        name = type(seed.bit_generator).__name__
        if type(seed.bit_generator) is not _BIT_GENERATORS.get(name):
            raise _refusal(f"a Generator over {type(seed.bit_generator).__module__}.{name}")
        return {"kind": "Generator", **_plain(seed.bit_generator.state)}
    raise _refusal(f"of class {type(seed).__module__}.{type(seed).__name__}")


def from_state(state: Any) -> Seed:
    """Makes the seed of a state. Raises ValueError for anything that `state_of` did not return."""
    if not isinstance(state, dict):
        raise ValueError(f"seed's state is a {type(state).__name__}, not a dict")
    kind, rest = state.get("kind"), {key: value for key, value in state.items() if key != "kind"}
    if kind == "int":
        _check(rest, {"seed": 2**64}, "")
        return rest["seed"]
    if kind not in ("Generator", "RandomState"):
        known = "int, Generator and RandomState"
        raise ValueError(f"seed's state is of the kind {shown(kind, 40)}, which is none of {known}")
    name = rest.pop("bit_generator", None)
    if not isinstance(name, str) or name not in (_STATES if kind == "Generator" else ("MT19937",)):
        raise ValueError(
            f"seed's state is of a {kind} over {shown(name, 40)}, which is none of NumPy's own that can be kept"
        )
    if kind == "Generator":
        _check(rest, _STATES[name], "")
        _check_turns(rest["state"])
        bit_generator = _BIT_GENERATORS[name](0)
        bit_generator.state = {"bit_generator": name, **_arrays(rest, _STATES[name])}
        return np.random.Generator(bit_generator)
    gauss = rest.pop("gauss", None)
    if type(gauss) is not float or not math.isfinite(gauss):
        raise ValueError(f"seed's state has gauss={shown(gauss, 40)}, which is not a finite float")
    _check(rest, _LEGACY, "")
    _check_turns(rest["state"])
    generator = np.random.RandomState(0)
    generator.set_state({"bit_generator": name, "gauss": gauss, **_arrays(rest, _LEGACY)})
    return generator


def _refusal(what: str) -> TypeError:
    """The error for a seed whose state cannot be stored."""
    return TypeError(
        f"seed is {what}, whose state cannot be kept in a file: give a whole number as the seed, or a Generator over "
        f"one of NumPy's {', '.join(_STATES)}"
    )


def _plain(value: Any) -> Any:
    """The value with arrays as lists, and NumPy's numbers as Python's."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _arrays(value: Any, form: Any) -> Any:
    """The inverse of `_plain`, for a value that has passed `_check`."""
    if isinstance(form, dict):
        return {key: _arrays(value[key], form[key]) for key in form}
    if isinstance(form, tuple):
        return np.array(value, np.uint32 if form[1] == 2**32 else np.uint64)
    return value


def _check(value: Any, form: Any, place: str) -> None:
    """Raises ValueError if the value does not have the form."""
    where = f"seed's state has a {place} that" if place else "seed's state"
    if isinstance(form, dict):
        if not isinstance(value, dict) or set(value) != set(form):
            held = shown(list(value), 80) if isinstance(value, dict) else f"a {type(value).__name__}"
            raise ValueError(f"{where} is {held}, and should hold {', '.join(form)}")
        for key, inner in form.items():
            _check(value[key], inner, f"{place}.{key}" if place else key)
    elif isinstance(form, tuple):
        count, limit = form
        if not isinstance(value, list) or len(value) != count or not all(_is_below(item, limit) for item in value):
            raise ValueError(f"{where} is not a list of {count} whole numbers from 0 to {limit - 1}")
    elif not _is_below(value, form):
        raise ValueError(f"{where} is {shown(value, 40)}, no whole number from 0 to {form - 1}")


def _check_turns(state: dict[str, Any]) -> None:
    """Raises ValueError for a state that no generator reaches: an even increment (PCG64), or zeros (MT19937).

    Normal numbers are drawn until one fits. With zeros none does, and NumPy would never return.
    """
    if "inc" in state and state["inc"] % 2 == 0:
        raise ValueError("seed's state has an even state.inc: those of PCG64 are odd")
    if "pos" in state and state["key"][0] < 2**31 and not any(state["key"][1:]):
        raise ValueError("seed's state has a state.key of zeros, which MT19937 cannot leave")


def _is_below(value: Any, limit: int) -> bool:
    """Whether it is an int from 0 to less than limit."""
    return type(value) is int and 0 <= value < limit
