"""Tables in files that are not text with separators: Parquet, Feather, spreadsheets, JSON."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from fastmlp.checks.faults import only_faults
from fastmlp.checks.messages import cut, lacks
from fastmlp.tables import headers
from fastmlp.tables.columns import Columns, check_unique, listed
from fastmlp.tables.frames import from_frame
from fastmlp.tables.libraries import needed, pandas_for
from fastmlp.tables.pipes import Piped, opened
from fastmlp.tables.sources import unpacked

_SPREADSHEETS = {"xlsx": "openpyxl", "ods": "odfpy", "xls": "xlrd", "xlsb": "pyxlsb"}
_MODULES = {"odfpy": "odf"}  # what is imported, where it is not called as the package is
_MAGIC = ((b"PAR1", "parquet"), (b"ARROW1", "feather"), (b"FEA1", "feather"), (b"\xd0\xcf\x11\xe0", "xls"))
_PLAIN = (str, int, float, bool, type(None))


def kind_of(source: Path | Piped, start: bytes) -> str | None:
    """Returns "parquet", "feather", "xlsx", "ods", "xls", "xlsb" or "json" by a file's first bytes; None for others."""
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if start.startswith(b"PK\x03\x04"):
        return _spreadsheet(source)
    return None


def json_kind(source: Path | Piped) -> bool:
    """Tells whether a text, perhaps packed, is JSON: an object in each line, or a list of objects."""
    with unpacked(source) as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    return re.match(rb'(\[\s*)?\{\s*["}]', start) is not None


def read(
    source: Path | Piped, kind: str, header: bool | None, text: Collection[str], checked: Collection[str] | None
) -> Columns:
    """Reads such a file; see `reader.read`."""
    pandas = pandas_for(source)
    notes: tuple[str, ...] = ()
    try:
        if kind == "json":
            frame = pandas.DataFrame(_records(source), dtype=object)
        else:
            with opened(source) as file:
                if kind in _SPREADSHEETS:
                    frame, notes = _sheet(pandas, source, kind, file, header)
                elif kind == "parquet":
                    needed("pyarrow", source)
                    frame = pandas.read_parquet(file, engine="pyarrow", dtype_backend="pyarrow")
                else:
                    needed("pyarrow", source)
                    frame = pandas.read_feather(file, dtype_backend="pyarrow")
    except (OSError, ValueError) as error:
        if isinstance(error, (_Said, FileNotFoundError, PermissionError)) or str(error).startswith(str(source)):
            raise ValueError(str(error)) from None if isinstance(error, _Said) else error
        raise _unreadable(source, kind, error) from error
    except Exception as error:  # a damaged spreadsheet raises whatever its reader and XML raise
        only_faults(error)
        raise _unreadable(source, kind, error) from error
    if not len(frame.columns) or not len(frame):
        raise ValueError(f"{source} has {'no columns' if not len(frame.columns) else 'a header and no rows'}")
    unique = [name or f"column {place}" for place, name in enumerate(map(str, frame.columns))]
    columns = from_frame(frame.set_axis(unique, axis=1), str(source), text, checked)
    said = list(notes)
    titles = dict(zip(unique, map(str, frame.columns), strict=True))
    named = [replace(column, name=titles[column.name]) for column in columns]
    kept = headers.without_unnamed(str(source), named, said)
    return Columns(tuple(kept), columns.where, tuple(said), columns.locate)


class _Said(ValueError):
    """An error that already says all."""


def _unreadable(source: object, kind: str, error: Exception) -> ValueError:
    """The error for a file that a reader does not take."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    line = " ".join(what.split())
    name = f"a spreadsheet (.{kind})" if kind in _SPREADSHEETS else kind
    return ValueError(f"{source} cannot be read as {name}, {cut(line, 200)}: copy it again, or save it as CSV")


def _spreadsheet(source: Path | Piped) -> str | None:
    """The kind of a zip archive that is a spreadsheet."""
    try:
        with opened(source) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype"):
                return "ods"
    except Exception as error:  # damage; what reads the archive says so
        only_faults(error)
        return None
    if "[Content_Types].xml" not in names:
        return None
    return "xlsb" if "xl/workbook.bin" in names else "xlsx"


def _sheet(
    pandas: Any, source: Path | Piped, kind: str, file: IO[bytes], header: bool | None
) -> tuple[Any, tuple[str, ...]]:
    """(frame, notes) of the first sheet of a spreadsheet."""
    engine = _SPREADSHEETS[kind]
    try:
        needed(_MODULES.get(engine, engine), source)
    except ValueError:
        raise _Said(
            f"{lacks(f'{source} is a spreadsheet (.{kind}), which is read by', engine)}, or save it as CSV"
        ) from None
    with pandas.ExcelFile(io.BytesIO(file.read()), engine=_MODULES.get(engine, engine)) as book:
        sheets = [str(name) for name in book.sheet_names]
        raw = pandas.read_excel(book, sheet_name=0, header=None, dtype=object, keep_default_na=False, na_values=[])
    if not len(raw):
        raise _Said(f"{source}: its first sheet {sheets[0]!r} is empty")
    notes: tuple[str, ...] = ()
    if len(sheets) > 1:
        notes = (f"read the first sheet, {sheets[0]!r}, of {len(sheets)} ({listed(sheets)})",)
    if header is False:
        return raw.set_axis([str(place) for place in range(raw.shape[1])], axis=1), notes
    names = ["" if _empty(cell) else str(cell).strip() for cell in raw.iloc[0]]
    frame = raw.iloc[1:].set_axis(names, axis=1)
    if header is None:
        shown = [["" if _empty(cell) else str(cell) for cell in row] for row in frame.head(200).itertuples(index=False)]
        note = headers.checked(str(source), names, shown, ".")
        notes += (note,) if note else ()
    check_unique([name for name in names if name], source)
    return frame, notes


def _empty(cell: Any) -> bool:
    """Whether nothing is in a cell."""
    return cell is None or cell == "" or cell != cell


def _records(source: Path | Piped) -> list[dict[str, Any]]:
    """The objects of JSON, one in each line or in a list. Raises ValueError."""
    numbered: list[tuple[int, Any]] = []
    unit = "line"
    with unpacked(source) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8-sig")
        number = 0
        try:
            whole = lines.read()
            if whole.lstrip().startswith("["):
                numbered, unit = list(enumerate(json.loads(whole), 1)), "record"
            else:
                for number, line in enumerate(io.StringIO(whole), 1):
                    if line.strip():
                        numbered.append((number, json.loads(line)))
        except RecursionError:
            raise _Said(f"{source} is nested too deeply: write one flat object in each line") from None
        except UnicodeDecodeError as error:
            where = f"{error.reason} near byte {error.start}"
            raise _Said(f"{source} is not in UTF-8 ({where}): save it as UTF-8") from None
        except json.JSONDecodeError as error:
            where = f"{source}, line {number or error.lineno}"
            raise _Said(f"{where}: not JSON ({error.msg}); write one flat object in each line") from None
    records = []
    for number, record in numbered:
        if not isinstance(record, dict):
            raise _Said(f'{source}, {unit} {number}: not an object, such as {{"a": 1, "y": 0}}')
        for name, value in record.items():
            if not isinstance(value, _PLAIN):
                kind = "a list" if isinstance(value, list) else "an object"
                raise _Said(f"{source}, {unit} {number}, column {cut(name)!r}: {kind} is neither number nor text")
        records.append(record)
    return records
