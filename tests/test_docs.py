"""The pages: their Python blocks run in order and print what stands below them, their links lead somewhere, their
constants are those of the reference, and README.md is short."""

import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from fastmlp.reference import constants, random, schedules

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n<!-- prints -->\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
LINES = 150  # that README.md stays below
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench_results").glob("*.md")])


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


def check_page(path):
    """Runs the page's blocks, each of which has to print what stands below it."""
    text = path.read_text()
    found = run_page(text)
    assert len(found) == text.count("```python") == text.count("<!-- prints -->")
    for printed, stated in found:
        assert printed == stated


def test_the_training_page_prints_what_it_says(monkeypatch, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: the page's digits are missing")
    monkeypatch.chdir(tmp_path)
    check_page(ROOT / "docs" / "training.md")


def test_the_arithmetic_page_prints_what_it_says():
    check_page(ROOT / "docs" / "arithmetic.md")


def test_the_check_of_a_page_sees_what_is_wrong():
    page = "```python\nx = 1\n```\n\nWords.\n\n```python\nprint(x + 1)\n```\n\n<!-- prints -->\n```text\n2\n```\n"
    assert run_page(page) == [("", None), ("2\n", "2\n")]
    assert run_page(page.replace("\n2\n", "\n3\n"))[1] == ("2\n", "3\n")
    with pytest.raises(NameError):
        run_page(page.replace("x = 1", "z = 1"))


# ---------------------------------------------------------------------------------------------------------
# The constants of docs/arithmetic.md

BEGIN, END = "<!-- constants -->\n", "<!-- /constants -->"
UNUSED = {"SQRT_HALF", "HALF"}  # not named in the page: the bits of the one are, and the other is 1/2


def in_hex(number):
    """A number as C reads it: an integer, or a float without zeros at its end."""
    if isinstance(number, np.integer):
        return f"{int(number):#0{2 + 2 * number.itemsize}x}"
    mantissa, exponent = float(number).hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}"


def lines_of(name, numbers, width=120):
    """`name = {...}`, broken into lines as C would take it."""
    lines, line = [f"{name} = {{"], " "
    for number in numbers:
        word = f" {in_hex(number)},"
        if len(line) + len(word) > width:
            lines.append(line)
            line = " "
        line += word
    return [*lines, line, "}"]


def section_of_constants():
    """What stands between the page's marks."""
    scalars = {n: c for n, c in vars(constants).items() if isinstance(c, constants.Constant) and n not in UNUSED}
    lines = ["| | float32 | float64 |", "|---|---|---|"]
    lines += [f"| {name} | `{in_hex(c.float32)}` | `{in_hex(c.float64)}` |" for name, c in scalars.items()]
    lines += ["", "```text"]
    for name, polynomial in vars(constants).items():
        if isinstance(polynomial, constants.Polynomial):
            for dtype in ("float32", "float64"):
                lines += lines_of(f"{name}, {dtype}", polynomial[dtype])
    for name in ("MIDDLE", "NEAR_TAIL", "FAR_TAIL"):
        for part, polynomial in zip(("first", "second"), getattr(random, name), strict=True):
            lines += lines_of(f"{name}, {part}", polynomial.float64)
    lines += lines_of("SERIES", map(np.float64, schedules.SERIES))
    return "\n".join([*lines, "```", ""])


def test_the_constants_of_the_page_are_those_of_the_reference():
    text = (ROOT / "docs" / "arithmetic.md").read_text()
    assert text.split(BEGIN)[1].split(END)[0] == section_of_constants()
    names = set(re.findall(r"\b[A-Z][A-Z_0-9]{3,}\b", text.split(BEGIN)[0]))
    known = {name for name in names if hasattr(constants, name)}
    assert not known & UNUSED
    assert {"EXP_POLYNOMIAL", "NORMAL_SHIFT", "LN2_LO", "MAGIC_EXPONENT_UP"} <= known
    for constant, value in (("MIDDLE_LIMIT", "0.425"), ("MIDDLE_CENTRE", "0.180625"), ("NEAR_CENTRE", "1.6")):
        assert getattr(random, constant).float64 == float(value)  # as the page's normal_quantile has them
        assert value in text


def test_numbers_in_hex_are_what_c_reads():
    for number in (np.float32(0.1), np.float64(-0.7), np.float64(2.0**-1022), np.float64(1)):
        assert float.fromhex(in_hex(number)) == number
    assert in_hex(np.float64(1)) == "0x1p+0"
    assert in_hex(np.uint32(23)) == "0x00000017"
