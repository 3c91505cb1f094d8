"""The first rows of public tables, trained and predicted: a model of each, or a sentence that says what to do."""

import re

import pytest
from public_tables import TABLES

from fastmlp import TableModel

pytest.importorskip("pandas")

QUICK = {"epochs": 1, "hidden": 3, "held_out": 0, "threads": 1, "backend": "reference"}
# of a handful of rows, some targets are the same in each, or differ in each
REFUSED = re.compile(r"is .* in every row: there is nothing to tell apart|different texts in \d+ rows .* name another")


@pytest.mark.parametrize(
    "table", [pytest.param(t, id=t.name, marks=[pytest.mark.slow] if n % 5 else []) for n, t in enumerate(TABLES)]
)
def test_a_public_table(tmp_path, table):
    path = tmp_path / table.name
    path.write_bytes(table.text.encode(table.encoding))
    target, options = table.target.strip(), {**QUICK, "no_header": not table.header}
    try:
        model = TableModel.fit(path, target, **options)
    except ValueError as refused:
        error = str(refused)
        if not REFUSED.search(error):
            raise
        if "task classify" not in error:
            return
        model = TableModel.fit(path, target, **options, task="classify")
    model.save(tmp_path / "m")
    read = TableModel.load(tmp_path / "m", backend="reference")
    if table.header:
        found = read.predict(path)
        assert found.tolist() == model.predict(path).tolist()
        assert len(found) >= 2
        assert model.notes
