"""docs/training.md: its Python blocks run in order, and print what stands below them."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n<!-- prints -->\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def run_page(text):
    """[(what a block printed, what stands below it, or None)] of a page; the blocks share one namespace."""
    names = {"__name__": "page"}
    found = []
    for block in BLOCK.finditer(text):
        code, printed = block.groups()
        line = text[: block.start(1)].count("\n")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile("\n" * line + code, "the page", "exec"), names)
        found.append((said.getvalue(), printed))
    return found


def test_the_training_page_prints_what_it_says(monkeypatch, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: the page's digits are missing")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "training.md").read_text()
    found = run_page(text)
    assert len(found) == text.count("```python") == text.count("<!-- prints -->")
    for printed, stated in found:
        assert printed == stated


def test_the_check_of_a_page_sees_what_is_wrong():
    page = "```python\nx = 1\n```\n\nWords.\n\n```python\nprint(x + 1)\n```\n\n<!-- prints -->\n```text\n2\n```\n"
    assert run_page(page) == [("", None), ("2\n", "2\n")]
    assert run_page(page.replace("\n2\n", "\n3\n"))[1] == ("2\n", "3\n")
    with pytest.raises(NameError):
        run_page(page.replace("x = 1", "z = 1"))
