"""What the texts in a column are: numbers, dates, booleans, or words; and which of them say that nothing is there.

Imports NumPy and checks; pandas where there are dates. A column of text is read once for each different text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastmlp.checks.integers import integers, is_large
from fastmlp.checks.messages import cut, in_digits
from fastmlp.tables.columns import Column

# What pandas takes for missing by default, "?" of the UCI files, and the spellings of NaN that float() reads
MARKS = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null", "?", "NAN", "Nan"),
)
FEW = 0.1  # of a column's cells: if no more are words and the others are many different numbers, the words are errors
MANY = 10  # different numbers
MARKING = (
    3  # different words among twice as many numbers: up to so many mark what is missing, in up to half of the cells
)

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity)", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d*,\d+|\d+,)(?:[eE][+-]?\d+)?", re.ASCII)
_LEAST_GROUP = 1000  # thousands are grouped in whole numbers from here on
_GROUPS = {
    mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+(?:{re.escape(point)}\d*)?", re.ASCII)
    for mark, point in ((",", "."), (".", ","))
}
_SPACED = re.compile(r"[+-]?[1-9]\d{0,2}(?:(?: |\u00a0|\u202f|')\d{3})+(?:[.,]\d*)?", re.ASCII)

_TIMES = (  # how a date may be spelled, and pandas' format of it
    (re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"), "ISO8601"),
    (re.compile(r"\d{4}/\d{1,2}/\d{1,2}"), "%Y/%m/%d"),
    (re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}"), "%d.%m.%Y"),
    (re.compile(r"\d{8}T\d{6}"), "%Y%m%dT%H%M%S"),
)
_DRESSED = re.compile(
    r"[(\u2212-]?\s*[$€£¥₹]?\s*[+\u2212-]?\d[\d.,\s']*(?:[eE][+\u2212-]?\d+)?\s*(?:[%)$€£¥₹]|[^\W\d]{1,3}\.?)?"
)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})( \d{1,2}:\d{2}(?::\d{2})?)?", re.ASCII)


@dataclass(frozen=True)
class Texts:
    """A column of text before it is known what it holds.

    Attributes
    ----------
    name : str
        The column's name.
    codes : ndarray of shape (N,), int32
        An index into texts, -1 where nothing is.
    texts : list of str
        The different texts, in the order in which they first appear.
    """

    name: str
    codes: np.ndarray
    texts: list[str]

    def row(self, text: int) -> int:
        """Returns the first row with this text, given by its index."""
        return int(np.argmax(self.codes == text))


def is_number(text: str) -> bool:
    """Tells whether a text is a number as float() reads it, in digits of ASCII and without underscores."""
    return _NUMBER.fullmatch(text) is not None


def looks_like(texts: Sequence[str]) -> str | None:
    """Returns "dates" or "numbers" where a column of words was meant to hold them: 3/4/2020, $5, 12 %, 5.1 kg."""
    if len(texts) < MANY or all(map(is_number, texts)):  # numbers that were asked for as words
        return None
    for pattern, what in ((_SLASHED, "dates"), (_DRESSED, "numbers")):
        if all(pattern.fullmatch(text) for text in texts):
            return what
    return None


def stripped(column: Texts) -> Texts:
    """Returns the column without spaces around its texts and without marks of missing values."""
    if not any(text in MARKS or text != text.strip() for text in column.texts):
        return column
    places: dict[str, int] = {}
    among = np.full(len(column.texts) + 1, -1, np.int32)  # the last one stands for -1
    for place, text in enumerate(column.texts):
        bare = text.strip()
        if bare not in MARKS:
            among[place] = places.setdefault(bare, len(places))
    return Texts(column.name, among[column.codes], list(places))


def understood(
    column: Texts, where: str, line: Callable[[int], str], decimal: str = ".", strict: bool = True, words: bool = False
) -> Column:
    """Returns what a column of text holds.

    Parameters
    ----------
    column : Texts
        The column.
    where : str
        The file, for errors.
    line : callable
        line(row) is "line 17".
    decimal : str, default="."
        "," where other columns show that it is the decimal mark.
    strict : bool, default=True
        Whether a few words in a column of numbers are refused, and commas that may be either mark.
    words : bool, default=False
        Whether the texts are words, whatever they look like.

    Returns
    -------
    Column

    Raises
    ------
    ValueError
        If the texts are almost all numbers, or if it is not clear which.
    """
    column = stripped(column)
    nothing = column.codes < 0
    missing = nothing if nothing.any() else None
    texts = column.texts
    if not texts and not words:
        return Column(column.name, "number", np.full(len(column.codes), np.nan), missing)
    if not words:
        plain = _plain_numbers(texts, decimal)
        if isinstance(plain, int):
            if strict:
                text = texts[plain]
                raise ValueError(
                    f"{_place(column, plain, where, line)}: {text!r} may be {text.replace(',', '')} or "
                    f"{text.replace(',', '.')}: write the column without commas"
                )
        elif plain is not None:
            return _numbers(replace(column, texts=plain), missing, line)
        lower = {text.lower() for text in texts}
        if lower <= {"true", "false"}:
            among = np.array([*(text.lower() == "true" for text in texts), False])
            return Column(column.name, "bool", among[column.codes], missing)
        times = _times(texts)
        if times is not None:
            return Column(column.name, "time", np.append(times, np.datetime64("NaT"))[column.codes], missing)
        if strict:
            _refuse_few_words(column, where, line)
    return Column(column.name, "text", column.codes.astype(np.int32, copy=False), missing, tuple(texts))


def _place(column: Texts, text: int, where: str, line: Callable[[int], str]) -> str:
    """Where a text first stands, for an error."""
    return f"{where}, {line(column.row(text))}, column {cut(column.name)!r}"


def _refuse_few_words(column: Texts, where: str, line: Callable[[int], str]) -> None:
    """Raises ValueError where almost all cells are numbers, so that the others are errors or marks."""
    if len(column.texts) <= MANY:
        return
    numeric = np.array([is_number(text) or _DECIMAL_COMMA.fullmatch(text) is not None for text in column.texts])
    if numeric.sum() < MANY:
        return
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(numeric))
    others = int(counts[~numeric].sum())
    mark = (~numeric).sum() <= MARKING and numeric.sum() >= 2 * MANY and 2 * others <= counts.sum()
    if others > FEW * counts.sum() and not mark:
        return
    odd = int(np.argmin(numeric))
    text, many = column.texts[odd], int(counts.sum()) - others
    raise ValueError(
        f"{_place(column, odd, where, line)}: {cut(text, 40)!r} is not a number, as {many} other cells of the column "
        "are: correct it, or write NA where a value is missing"
    )


# ---------------------------------------------------------------------------------------------------------
# Numbers


def _plain_numbers(texts: Sequence[str], decimal: str) -> list[str] | int | None:
    """The texts as float() reads them, if all are numbers; None if not; or the index of one that may be two numbers."""
    other = [place for place, text in enumerate(texts) if not is_number(text)]
    dots = _GROUPS["."]
    if decimal == "," and all(  # beside decimal commas, 1.234 is 1234
        _WHOLE.fullmatch(text) or dots.fullmatch(text) or _DECIMAL_COMMA.fullmatch(text) for text in texts
    ):
        return [text.replace(".", "").replace(",", ".") for text in texts]
    if not other:
        return list(texts)
    odd = [texts[place] for place in other]
    if not any(mark in odd[0] for mark in ",. '\u00a0\u202f"):
        return None
    if all(_DECIMAL_COMMA.fullmatch(t) or (dots.fullmatch(t) and "," in t) for t in odd):
        grouped = [_GROUPS[","].fullmatch(text) is not None for text in odd]
        clear = not all(grouped) or decimal == ","
        rest = [text for text in texts if is_number(text)]
        if not any("." in text for text in rest) and clear:
            return [text.replace(".", "").replace(",", ".") for text in texts]
        if not clear and not _beside_groups(rest):
            return other[0]
    if all(_GROUPS[","].fullmatch(text) for text in odd):
        return [text.replace(",", "") for text in texts]
    if all(_WHOLE.fullmatch(text) or dots.fullmatch(text) for text in texts):  # 1.234.567
        return [text.replace(".", "").replace(",", ".") for text in texts]
    if all(_SPACED.fullmatch(text) for text in odd):
        return [re.sub("[ '\u00a0\u202f]", "", text).replace(",", ".") for text in texts]
    return None


def _beside_groups(rest: Sequence[str]) -> bool:
    """Whether numbers without a comma show that the comma of others groups thousands: 999 or 0.5, and none of 1000.

    A 2 shows nothing: where the comma is a decimal mark, 2,000 is written as 2.
    """
    shown = any("." in text or abs(float(text)) >= 100 for text in rest)
    return shown and all(abs(float(text)) < _LEAST_GROUP for text in rest)


def _numbers(column: Texts, missing: np.ndarray | None, line: Callable[[int], str]) -> Column:
    """A column whose texts are numbers: integers if all of them are, and 64 bits hold them."""
    texts, codes = column.texts, column.codes
    exact = None
    if all(len(text) < 25 and _WHOLE.fullmatch(text) for text in texts):
        exact = integers([int(text) for text in texts])
    if exact is not None:
        return Column(column.name, "integer", np.append(exact, exact.dtype.type(0))[codes], missing)
    values = np.array([float(text) for text in texts], np.float64)
    rounded = None
    if np.isfinite(values).all() and is_large(values) and (values == np.trunc(values)).all():  # labels, perhaps
        exact, rounded = _whole(column, values, line)
        if exact is not None:
            return Column(column.name, "integer", np.append(exact, exact.dtype.type(0))[codes], missing)
    return Column(column.name, "number", np.append(values, np.nan)[codes], missing, rounded=rounded)


def _whole(column: Texts, values: np.ndarray, line: Callable[[int], str]) -> tuple[np.ndarray | None, str | None]:
    """(integers, None) if all texts are whole numbers of 64 bits; (None, why) if float64 rounds one; else Nones."""
    from decimal import Decimal

    numbers = []
    for text in column.texts:
        try:
            numbers.append(Decimal(text))
        except ArithmeticError:  # an exponent of 20 digits: since the float is finite, it is 0
            numbers.append(Decimal(0))
    if all(abs(number) < 2**64 and number == number.to_integral_value() for number in numbers):
        exact = integers([int(number) for number in numbers])
        if exact is not None:
            return exact, None
    for place, (number, value) in enumerate(zip(numbers, values.tolist(), strict=True)):
        if Decimal(repr(value)) != number:  # 1e300 is unchanged; an id of 25 digits is not
            text = cut(column.texts[place], 40)
            return None, f"has {text} in {line(column.row(place))}, which float64 rounds to {in_digits(value)}"
    return None, None


# ---------------------------------------------------------------------------------------------------------
# Dates


def _times(texts: Sequence[str]) -> np.ndarray | None:
    """The texts as datetime64[us], if they are dates whose order of day and month is clear."""
    if not texts[0][:1].isdigit():
        return None
    for pattern, form in _TIMES:
        if all(pattern.fullmatch(text) for text in texts):
            return _parsed_times(texts, form)
    matches = [_SLASHED.fullmatch(text) for text in texts]
    if not all(matches):
        return None
    firsts, seconds = ([int(match[part]) for match in matches if match] for part in (1, 2))
    clock = {len((match[4] or "").split(":")) for match in matches if match}
    if len(clock) > 1 or (max(firsts) > 12) == (max(seconds) > 12):  # 3/4/2020 alone may be April or March
        return None
    day_first = max(firsts) > 12
    return _parsed_times(
        texts, ("%d/%m/%Y" if day_first else "%m/%d/%Y") + ["", "", " %H:%M", " %H:%M:%S"][clock.pop()]
    )


def _parsed_times(texts: Sequence[str], form: str) -> np.ndarray | None:
    """The same, by pandas; None for a 30th of February."""
    import pandas

    try:
        found = pandas.to_datetime(list(texts), format=form, utc=True)
    except (ValueError, OverflowError):
        return None
    return found.tz_localize(None).to_numpy().astype("datetime64[us]")
