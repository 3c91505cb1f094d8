"""Columns of a data frame: of pandas, polars or pyarrow, or of what can become a frame of pandas."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from fastmlp.checks.faults import only_faults
from fastmlp.checks.integers import EXACT, check_exact, integers, is_large
from fastmlp.checks.messages import cut
from fastmlp.tables.cells import Texts, understood
from fastmlp.tables.columns import Column, Columns

_OTHERS = "turn it into numbers or text first"
_NARROW = {  # floats of so few bits that whole numbers may have been rounded before
    "float32": "float32", "float16": "float16", "float[pyarrow]": "float32", "halffloat[pyarrow]": "float16",
}  # fmt: skip


def from_frame(
    frame: Any, where: str = "X", text: Collection[str] = (), checked: Collection[str] | None = None
) -> Columns:
    """Reads a data frame.

    Text is understood as in a file: "?" is missing, and a column of numbers in text holds numbers. A categorical column
    is text whatever its categories are.

    Parameters
    ----------
    frame : data frame
        Of pandas or polars, a table of pyarrow, or any object with `to_pandas` or `__dataframe__`.
    where : str, default="X"
        What it is called, for messages.
    text : collection of str, default=()
        Columns that are text, whatever they look like.
    checked : collection of str or None, default=None
        Columns whose errors are raised; None for all. Others may have infinite numbers, and a few words among numbers;
        one that holds neither numbers nor text nor times is left out.

    Returns
    -------
    Columns

    Raises
    ------
    TypeError
        If a column holds neither numbers nor text nor times, or it is no frame.
    ValueError
        If two columns have the same name, or a number is infinite.
    """
    kind = type(frame)
    module = (kind.__module__ or "").partition(".")[0]
    if hasattr(frame, "collect") and not hasattr(frame, "to_pandas"):
        raise TypeError(f"{where} is one {kind.__name__}, not a frame: give {where}.collect()")
    if hasattr(frame, "compute") and hasattr(frame, "dask"):
        raise TypeError(f"{where} is one {kind.__name__} of dask, not a frame: give {where}.compute()")
    read: Callable[..., Column]
    parts: list[tuple[Any, Any]]
    if module == "polars":
        read, parts = _of_polars, [(series.name, series) for series in frame.get_columns()]
    else:
        frame = _as_pandas(frame, where, module)
        if frame.columns.nlevels > 1:
            raise ValueError(f"{where} has names of {frame.columns.nlevels} levels: give it one level of names")
        read = _of_pandas
        parts = [(name, frame.iloc[:, place]) for place, name in enumerate(frame.columns)]
    columns = []
    for name, series in parts:
        title = str(name)
        if checked is None or title in checked:
            column = read(series, title, where, title in text, True)
            _check_finite(column, where)
        else:
            try:
                column = read(series, title, where, title in text, False)
            except (TypeError, ValueError):
                continue
        columns.append(column)
    return Columns(tuple(columns), where)


def _as_pandas(frame: Any, where: str, module: str) -> Any:
    """A frame of pandas."""
    try:
        if module == "pandas" and hasattr(frame, "iloc") and hasattr(frame, "columns"):
            return frame
        if module == "pyarrow":
            import pandas

            return frame.to_pandas(types_mapper=pandas.ArrowDtype)
        if hasattr(frame, "to_pandas"):
            return frame.to_pandas()
        if hasattr(frame, "__dataframe__"):
            import pandas

            return pandas.api.interchange.from_dataframe(frame)
    except Exception as error:
        only_faults(error)
        raise TypeError(f"{where} cannot be read as a frame: {cut(str(error), 200)}") from error
    raise TypeError(f"{where} is one {type(frame).__name__}, not a frame: give a DataFrame of pandas or polars")


def _check_finite(column: Column, where: str) -> None:
    """Raises ValueError for an infinite number."""
    if column.kind == "number":
        infinite = np.isinf(column.values)
        if infinite.any():
            row = int(np.argmax(infinite))
            raise ValueError(f"{_place(where, row, column.name)}: {column.values[row]:g} is not a finite number")


def _place(where: str, row: int, name: str) -> str:
    return f"{where}, row {row}, column {cut(name)!r}"


def _row(row: int) -> str:
    return f"row {row}"


# ---------------------------------------------------------------------------------------------------------
# pandas


def _of_pandas(series: Any, name: str, where: str, words: bool, strict: bool) -> Column:
    """A column of pandas."""
    import pandas

    dtype = series.dtype
    if isinstance(dtype, pandas.SparseDtype):
        series = series.sparse.to_dense()
        dtype = series.dtype
    if str(dtype).startswith("dictionary"):  # Arrow's categories
        series = series.array.__arrow_array__().to_pandas()  # astype("category") fails where there are holes
        dtype = series.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        texts = [_text(value) for value in dtype.categories.tolist()]
        return _categorical(name, series.cat.codes.to_numpy(), texts, where)
    kind = getattr(dtype, "kind", "O")
    hole = series.isna().to_numpy(bool)
    missing = hole if hole.any() else None
    if pandas.api.types.is_bool_dtype(dtype) and kind == "b":
        values = series.to_numpy(dtype=bool, na_value=False) if missing is not None else series.to_numpy(dtype=bool)
        return (
            _words(name, ["False", "True"], values.astype(np.int32), missing)
            if words
            else Column(name, "bool", values, missing)
        )
    if kind in "iu":
        wide = np.uint64 if kind == "u" and dtype.itemsize == 8 else np.int64
        values = series.to_numpy(dtype=wide, na_value=0) if missing is not None else series.to_numpy(dtype=wide)
        return _whole(name, values, missing, words)
    if kind == "f":
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return _floats(name, values, dtype, words)
    if kind == "M":
        if getattr(dtype, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return Column(name, "time", series.to_numpy(dtype="datetime64[us]"), missing)
    if kind in "mc":
        what = "time spans" if kind == "m" else "complex numbers"
        raise TypeError(f"{where}, column {cut(name)!r} holds {what}: {_OTHERS}")
    if isinstance(dtype, pandas.PeriodDtype):
        return _of_pandas(series.dt.to_timestamp(), name, where, words, strict)
    if isinstance(dtype, pandas.StringDtype) or str(dtype) in ("string[pyarrow]", "large_string[pyarrow]"):
        codes, texts = pandas.factorize(series)
        column = Texts(name, codes.astype(np.int32), [str(text) for text in texts.tolist()])
        return understood(column, where, _row, strict=strict, words=words)
    return _of_objects(series.to_numpy(dtype=object), hole, name, where, words, strict)


def _of_objects(values: np.ndarray, hole: np.ndarray, name: str, where: str, words: bool, strict: bool) -> Column:
    """A column of Python objects: bools, numbers, texts or times."""
    import datetime
    import decimal
    import numbers

    missing = hole if hole.any() else None
    there = values[~hole]
    kinds = set(map(type, there.tolist()))

    def are(*types: type) -> bool:
        return all(issubclass(kind, types) for kind in kinds)

    if not kinds:
        return Column(name, "number", np.full(len(values), np.nan), missing)
    if are(bool, np.bool_) and not words:
        return Column(name, "bool", np.where(hole, False, values).astype(bool), missing)
    if are(numbers.Integral, np.bool_) and not words:
        exact = integers([int(value) for value in there])
        if exact is not None:
            filled = np.zeros(len(values), exact.dtype)
            filled[~hole] = exact
            return Column(name, "integer", filled, missing)
    if are(numbers.Real, decimal.Decimal, np.bool_) and not words:
        filled = np.full(len(values), np.nan)
        try:
            filled[~hole] = [float(value) for value in there]
            lost = next((value for value in there if abs(value) > EXACT and float(value) != value), None)
        except (OverflowError, ValueError, decimal.InvalidOperation):  # of Decimal("sNaN"), too
            raise ValueError(f"{where}, column {cut(name)!r} has a number that is no float, or too large") from None
        rounded = None if lost is None else f"has {cut(str(lost), 40)}, which float64 rounds"
        return Column(name, "number", filled, missing, rounded=rounded)
    if are(datetime.date, np.datetime64):
        import pandas

        found = pandas.to_datetime(pandas.Series(values), utc=True).dt.tz_localize(None)
        return Column(name, "time", found.to_numpy(dtype="datetime64[us]"), missing)
    if not are(str, bytes, numbers.Real, decimal.Decimal, datetime.date):
        row = next(row for row, value in enumerate(values) if not hole[row] and not isinstance(value, _SIMPLE))
        kind = type(values[row]).__name__
        raise TypeError(f"{_place(where, row, name)}: a {kind} is neither number nor text: {_OTHERS}")
    codes = np.full(len(values), -1, np.int32)
    places: dict[str, int] = {}
    codes[~hole] = [places.setdefault(_text(value), len(places)) for value in there]
    return understood(Texts(name, codes, list(places)), where, _row, strict=strict, words=words)


_SIMPLE = (str, bytes, int, float, np.generic)


# ---------------------------------------------------------------------------------------------------------
# polars


def _of_polars(series: Any, name: str, where: str, words: bool, strict: bool) -> Column:
    """A column of polars."""
    import polars

    dtype = series.dtype
    hole = series.is_null().to_numpy()
    missing = hole if hole.any() else None
    if dtype == polars.Boolean:
        values = series.fill_null(False).to_numpy()
        if words:
            return _words(name, ["False", "True"], values.astype(np.int32), missing)
        return Column(name, "bool", values, missing)
    if dtype.is_integer() and dtype.is_signed_integer() | dtype.is_unsigned_integer():
        if str(dtype) in ("Int128", "UInt128"):
            return _of_objects(np.array(series.to_list(), object), hole, name, where, words, strict)
        wide = np.uint64 if dtype == polars.UInt64 else np.int64
        return _whole(name, series.fill_null(0).to_numpy().astype(wide), missing, words)
    if dtype.is_float():
        return _floats(name, series.fill_null(np.nan).to_numpy().astype(np.float64), dtype, words)
    if dtype in (polars.Date, polars.Datetime):
        if getattr(dtype, "time_zone", None):
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return Column(name, "time", series.to_numpy().astype("datetime64[us]"), missing)
    if dtype in (polars.Categorical, polars.Enum):
        column = _texts_of(series.cast(polars.String), name)
        return _categorical(name, column.codes, column.texts, where)
    if dtype == polars.String:
        return understood(_texts_of(series, name), where, _row, strict=strict, words=words)
    if dtype == polars.Null:
        return Column(name, "number", np.full(len(series), np.nan), missing)
    if dtype.is_decimal() or dtype == polars.Object:
        return _of_objects(np.array(series.to_list(), object), hole, name, where, words, strict)
    raise TypeError(f"{where}, column {cut(name)!r} is of polars' {cut(str(dtype))}: {_OTHERS}")


def _texts_of(series: Any, name: str) -> Texts:
    """A column of strings of polars."""
    places: dict[str, int] = {}
    codes = [-1 if text is None else places.setdefault(text, len(places)) for text in series.to_list()]
    return Texts(name, np.array(codes, np.int32), list(places))


# ---------------------------------------------------------------------------------------------------------


def _whole(name: str, values: np.ndarray, missing: np.ndarray | None, words: bool) -> Column:
    """A column of integers, or of their digits."""
    if not words:
        return Column(name, "integer", values, missing)
    found, codes = np.unique(values, return_inverse=True)
    return _words(name, [str(value) for value in found.tolist()], codes, missing)


def _floats(name: str, values: np.ndarray, dtype: Any, words: bool) -> Column:
    """A column of floats, or of their shortest digits. Large whole numbers may have been rounded before."""
    hole = np.isnan(values)
    missing = hole if hole.any() else None
    if words:
        found, codes = np.unique(values, return_inverse=True)
        return _words(name, [repr(value).removesuffix(".0") for value in found.tolist()], codes, missing)
    rounded = None
    there = values if missing is None else values[~hole]
    kind = np.dtype(_NARROW.get(str(dtype).lower(), values.dtype))
    if len(there) and (kind != values.dtype or is_large(there)):
        with np.errstate(all="ignore"):
            if (there == np.trunc(there)).all():
                try:
                    check_exact(there.astype(kind), name)
                except ValueError as error:
                    rounded = str(error).removeprefix(f"{name} ")
    return Column(name, "number", values, missing, rounded=rounded)


def _categorical(name: str, codes: np.ndarray, texts: Sequence[str], where: str) -> Column:
    """A column of categories, in the order in which they first appear."""
    column = Texts(name, codes.astype(np.int32), list(texts))
    missing = column.codes < 0
    return _words(name, list(texts), np.where(missing, 0, column.codes), missing if missing.any() else None, where)


def _words(name: str, texts: Sequence[str], codes: np.ndarray, missing: np.ndarray | None, where: str = "X") -> Column:
    """A column of text, whose texts may be in any order and unused."""
    codes = np.asarray(codes, np.int32)
    if missing is not None:
        codes = np.where(missing, -1, codes)
    import pandas

    ordered, used = pandas.factorize(codes[codes >= 0]) if (codes >= 0).any() else (np.empty(0, int), np.empty(0, int))
    column = np.full(len(codes), -1, np.int32)
    column[codes >= 0] = ordered
    return understood(Texts(name, column, [texts[place] for place in used]), where, _row, words=True)


def _text(value: Any) -> str:
    """A category's text; a whole float is spelled as an integer."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return repr(value).removesuffix(".0") if type(value) is float else str(value)
