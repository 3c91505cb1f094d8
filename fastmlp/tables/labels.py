"""A table's target: labels in words, booleans or whole numbers; or quantities. What a class is called."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.checks.integers import EXACT, integers, is_large, places_in
from fastmlp.checks.messages import cut, in_digits, plain, shown
from fastmlp.tables.columns import Column

MOST_CLASSES = 100  # a column with more different whole numbers is taken for a quantity
MANY = 20  # classes: so many are listed, and more may be a quantity


def as_classes(y: np.ndarray) -> np.ndarray | None:
    """Returns y as labels (N,) if it looks like labels, else None: whole numbers, few and repeated, or one-hot rows.

    Integers stay integers.
    """
    if y.ndim == 2:
        one_hot = np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
        return y.argmax(axis=1).astype(np.float64) if one_hot else None
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        return None
    different = len(np.unique(y))
    return y if different <= MOST_CLASSES and 2 * different <= max(len(y), 4) else None


def labels_of(column: Column) -> np.ndarray:
    """Returns the labels (N,) of a column without missing cells: texts, booleans, or whole numbers with all digits.

    Numbers are float64, and integers where float64 would round one. Raises ValueError for what is no label.
    """
    if column.kind == "text":
        return np.array(column.texts(), object)
    if column.kind == "bool":
        return column.values
    if column.kind == "time":
        raise ValueError(f"{column.name!r} holds dates, which are no classes: make them text, or numbers")
    if column.rounded is not None:
        raise ValueError(f"{column.name!r} {column.rounded}; --task regress takes it for a quantity")
    if column.kind == "integer" and is_large(column.values):
        return column.values
    return column.values.astype(np.float64)


def classes_of(labels: np.ndarray) -> np.ndarray:
    """Returns the classes (C,), ascending."""
    if labels.dtype.kind == "O":
        return np.array(sorted(set(labels.tolist())), object)
    return np.unique(labels)


def places_of_labels(classes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, Any]:
    """Returns the index in classes of each label (N,), and a label that is not among them, or None."""
    if "O" not in (classes.dtype.kind, labels.dtype.kind) and "b" not in (classes.dtype.kind, labels.dtype.kind):
        return places_in(classes, labels)
    places = {text_of(label): place for place, label in enumerate(classes.tolist())}
    each = labels.tolist()
    different = dict.fromkeys(each)
    if {type(label) for label in different} == {str}:  # no call for each row: 10^6 take 0.05 s and not 0.7 s
        place_of = {label: places.get(label, -1) for label in different}
        found = np.fromiter(map(place_of.__getitem__, each), np.int64, len(each))
    else:  # True and 1 are one key of a dictionary
        found = np.array([places.get(text_of(label), -1) for label in each], np.int64)
    lost = np.flatnonzero(found < 0)
    return found, each[lost[0]] if len(lost) else None


def like_classes(column: Column, classes: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Returns a target's labels (N,) as predictions are spelled, None where missing, object; or why they are none."""
    there = ~column.is_missing()
    found = np.full(len(column), None, object)
    try:
        labels = labels_of(column.taken(np.flatnonzero(there)))
    except ValueError as error:
        return found, str(error)
    if classes.dtype.kind in "Ob":
        spelled = {text_of(label): label for label in classes.tolist()}
        texts = labels.tolist() if labels.dtype.kind == "O" else [text_of(label) for label in labels.tolist()]
        found[there] = np.array([spelled.get(text, text) for text in texts] + [None], object)[:-1]
        return found, None
    if labels.dtype.kind == "O":
        return found, f"column {column.name!r} is not a number in every row"
    found[there] = labels.astype(object)
    return found, None


def text_of(label: Any) -> str:
    """A label as text: a word as it is, a whole number with all of its digits."""
    label = label.item() if hasattr(label, "item") else label
    if isinstance(label, (str, bool)):
        return str(label)
    if isinstance(label, float) and not label.is_integer():
        return repr(label)
    return in_digits(label)


def class_names(classes: np.ndarray) -> str:
    """Returns the classes as text, the first of them if they are many."""
    texts = [cut(plain(text_of(value)), 40) for value in classes]
    between = ", " if classes.dtype.kind == "O" else " "
    return between.join(texts if len(texts) <= MANY else [*texts[:10], "...", texts[-1]])


def predicted(classes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Returns the labels (N,) at these places: words, booleans, or int64, or what holds them if int64 does not."""
    small = classes.dtype.kind == "f" and (abs(classes) <= EXACT).all()
    return (classes.astype(np.int64) if small else classes)[places]


def from_header(values: Any) -> np.ndarray:
    """Returns the classes (C,) that a file lists: words, booleans, integers or floats. Raises ValueError."""
    found: np.ndarray | None = None
    kinds = {type(value) for value in values} if isinstance(values, list) else set()
    if kinds == {int}:
        found = integers(values)
    elif kinds == {float}:
        found = np.array(values, np.float64)
        found = found if np.isfinite(found).all() else None
    elif kinds == {bool}:
        found = np.array(values, bool)
    elif kinds == {str} and all(map(is_text, values)):
        found = np.array(values, object)
    ascending = found is not None and all(a < b for a, b in zip(found[:-1].tolist(), found[1:].tolist(), strict=True))
    if found is None or not ascending:
        raise ValueError(f"its classes are {shown(values)}, not labels in ascending order")
    return found


def is_text(value: Any) -> bool:
    """Tells whether it is text that UTF-8 can encode. JSON can hold halves of surrogate pairs, and a table cannot."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False
