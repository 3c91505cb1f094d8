"""docs/export.md: its Python, its program in C and its command run as they stand, and print what stands below them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fastmlp.export import c_selftest, c_source

TEXT = (Path(__file__).parents[2] / "docs" / "export.md").read_text()


@pytest.mark.skipif(not shutil.which("gcc"), reason="there is no gcc here: the page's program is not compiled")
def test_the_page_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (python,), (program,) = (re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.M | re.S) for kind in ("python", "c"))
    printed = re.findall(r"<!-- prints -->\n```text\n(.*?)^```", TEXT, re.M | re.S)
    exec(compile(python, "docs/export.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out == printed[0]
    (tmp_path / "main.c").write_text(program)
    command = re.search(r"^gcc .*$", TEXT, re.M).group()
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (printed[1], "")


def test_the_figures_of_the_page_are_those_of_the_self_test():
    cases = {dtype: len(list(c_selftest.fma_cases(dtype))) for dtype in ("float32", "float64")}
    assert set(cases.values()) == {int(re.search(r"computes (\d+) fma", TEXT).group(1))}
    assert f"outputs of {len(c_selftest.POWERS)} rows" in TEXT
    assert f"more than {c_selftest.MANY:_} parameters".replace("_", " ") in TEXT
    assert c_source.MOST == 4_000_000
