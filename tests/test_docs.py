"""The pages: their Python blocks run in order and print what stands below them, their links lead somewhere, their
constants are those of the reference, and README.md is short."""

import contextlib
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from fastmlp import optimizers, study
from fastmlp.reference import activations, constants, random, schedules

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


def test_the_ensembles_page_prints_what_it_says(monkeypatch, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: the page's digits are missing")
    monkeypatch.chdir(tmp_path)
    check_page(ROOT / "docs" / "ensembles.md")


def test_the_page_of_conversions_prints_what_it_says():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: the page's estimator is missing")
    check_page(ROOT / "docs" / "conversions.md")


@pytest.mark.parametrize("library", ["onnxruntime", "pandas", "torch"])
def test_the_blocks_of_conversions_that_need_a_library(library, monkeypatch, tmp_path):
    for name in ("torch",) if library == "torch" else ("onnx", "onnxruntime", library):
        pytest.importorskip(name, reason=f"{name} is not installed: its block is not run")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "conversions.md").read_text()
    blocks = re.findall(r"^```py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    mark = {"onnxruntime": "model.to_onnx", "pandas": "table.to_onnx", "torch": "model.to_torch"}[library]
    (block,) = (block for block in blocks if mark in block)
    assert len(blocks) == 3
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(BLOCK.search(text)[1], names)
    exec(block, names)
    model, X = (names["table"], names["rows"]) if library == "pandas" else (names["model"], names["X"])
    p = model.predict_proba(X)
    if library == "torch":
        assert (names["again"].predict_proba(X) == p).all()
        assert (names["trained"].predict_proba(X) == p).all()
    else:
        label = names["species" if library == "pandas" else "label"]
        assert (label == model.predict(X)).all()
        assert np.abs(names["probabilities"] - p).max() < 1e-14


def test_the_page_on_tables():
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    check_page(ROOT / "docs" / "tables.md")


def test_the_page_of_exercises_prints_what_it_says():
    check_page(ROOT / "docs" / "exercises.md")


def test_the_page_of_verifying_prints_what_it_says():
    check_page(ROOT / "docs" / "verify.md")


def test_the_page_of_transcripts_prints_what_it_says(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(activations, "tanh_forward", activations.tanh_forward)  # in which the page plants a fault
    check_page(ROOT / "docs" / "transcripts.md")


def test_the_page_of_sweeps_prints_what_it_says():
    check_page(ROOT / "docs" / "sweeps.md")


def test_the_study_page_prints_what_it_says(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    check_page(ROOT / "docs" / "study.md")


def test_the_study_page_says_what_is_seen_on_xor():
    """The other data sets take longer."""
    text = (ROOT / "docs" / "study.md").read_text()
    seen = text.split("<!-- study -->\n```text\n")[1].split("```")[0]
    ours = study.run("xor")
    told = repr(ours).removeprefix(ours.table).removesuffix(ours.definitions).strip()
    assert seen.startswith(told + "\n- A network without hidden layers did not solve circles")
    assert seen.endswith(ours.definitions + "\n")


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


# ---------------------------------------------------------------------------------------------------------
# README.md, the first steps, and the links of all pages


def test_the_readme_prints_what_it_says():
    check_page(ROOT / "README.md")


def test_the_program_in_pytorch_runs():
    pytest.importorskip("torch", reason="PyTorch is not installed: the README's XOR in PyTorch is not run")
    assert run_page((ROOT / "docs" / "benchmarks.md").read_text()) == [("", None)]


def test_the_first_steps_print_what_they_say(monkeypatch, tmp_path):
    for module in ("sklearn", "pandas"):
        pytest.importorskip(module, reason=f"{module} is not installed: the page's tables are missing")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "tests" / "tables" / "penguins.csv", tmp_path)
    check_page(ROOT / "docs" / "quickstart.md")


def test_the_page_of_tables_runs():
    assert len(run_page((ROOT / "docs" / "preprocessing.md").read_text())) == 1


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") < LINES
    assert "Goals" not in text  # a page of bench_results/ has their table


def leads(result):
    """{dtype: {workload: the best peer's time over fastmlp's}} on one core, for the workloads of README.md's table."""
    times = {}
    for row in result["rows"]:
        if row["threads"] == 1 and not re.fullmatch(r"xor-\d+", row["workload"]):
            times.setdefault((row["dtype"], row["workload"]), {})[row["contestant"]] = row["us_step"]
    found = {}
    for (dtype, workload), of in times.items():
        ours = of.pop("fastmlp")
        found.setdefault(dtype, {})[workload] = min(of.values()) / ours
    return found


def test_the_readme_s_sentences_are_its_result_s():
    """The figures of the second bullet, and those below PyTorch's program."""
    text = re.sub(r"\s+", " ", (ROOT / "README.md").read_text())
    name = re.search(r"\[the whole result\]\(bench_results/(\w+)\.md\)", text).group(1)
    assert f"](bench_results/{name}-ratios.svg)" in text
    result = json.loads((ROOT / "bench_results" / f"{name}.json").read_text())
    said = {}
    for dtype, of in leads(result).items():
        won = [ratio for ratio in of.values() if ratio >= 1]
        said[dtype] = f"{min(won):.1f} to {max(won):.1f}", len(won), len(of)
    (f64, won64, all64), (f32, won32, all32) = said["float64"], said["float32"]
    assert f"takes {f64} times as long as fastmlp on {won64} of {all64} workloads in float64, and {f32} times" in text
    assert f"as long on {won32} of {all32} in float32" in text
    times = {
        row["contestant"]: row["us_step"]
        for row in result["rows"]
        if (row["workload"], row["dtype"], row["threads"]) == ("xor", "float64", 1)
    }
    assert (
        f"takes {times['fastmlp']:.1f} us with fastmlp and {times['torch_eager']:.0f} us with "
        "[PyTorch](docs/benchmarks.md#comparison-with-other-libraries) (xor in float64, "
        "one core; `python -m benchmarks.compare --workload xor`)" in text
    )


def anchors(text):
    """A page's anchors, as GitHub makes them of its headings."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = set()
    for heading in re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE):
        heading = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(anchor if anchor not in found else f"{anchor}-1")
    return found


def links(path):
    """(page or None, anchor or "") of each relative link of a page."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^()\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if not re.match(r"[a-z]+:", target):
            page, _, anchor = target.partition("#")
            yield (path.parent / page).resolve() if page else path, anchor


def broken(path):
    """The links of a page that lead nowhere."""
    for target, anchor in links(path):
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            yield f"{target.name}#{anchor}"


def reached(start):
    """The pages that links lead to from a page, itself included."""
    found, waiting = set(), [start]
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            waiting += [target for target, _ in links(page) if target.suffix == ".md" and target.exists()]
    return found


def test_no_page_waits_for_a_figure():
    for page in PAGES:
        assert not re.search(r"@[A-Z]+@|\bTODO\b|\bTBD\b", page.read_text()), page


def test_every_link_leads_somewhere():
    for page in PAGES:
        assert list(broken(page)) == [], page.name


def test_every_page_is_reached():
    assert set(PAGES) <= reached(ROOT / "README.md")
    index = ROOT / "docs" / "README.md"
    own = {page for page in PAGES if page.parent.name != "bench_results"}
    assert own - {index} <= {target for target, _ in links(index)}


def test_the_checks_of_links_see_what_is_wrong(tmp_path):
    (tmp_path / "a.md").write_text("# A page\n\n[b](b.md#there-it-is), [none](c.md), `[code](d.md)`\n")
    (tmp_path / "b.md").write_text(
        "## There, it is\n\n```\n[e](e.md)\n# no heading\n```\n\n[a](a.md#a-pag) [x](#there-it-is)\n"
    )
    (tmp_path / "f.md").write_text("Nobody links to it.\n")
    assert list(broken(tmp_path / "a.md")) == ["c.md#"]
    assert list(broken(tmp_path / "b.md")) == ["a.md#a-pag"]
    assert {page.name for page in reached(tmp_path / "a.md")} == {"a.md", "b.md"}
    assert anchors("# `Code` and (more)\n## Twice\n## Twice\n") == {"code-and-more", "twice", "twice-1"}


def test_the_arithmetic_page_has_the_optimizers_settings():
    page = (ROOT / "docs" / "arithmetic.md").read_text().partition("What is not given is")[2]
    names = {"β₁": "beta_1", "β₂": "beta_2", "ε": "epsilon"}
    for words in ("SGD", "Adam, AdamW", "RMSprop", "Adagrad"):
        row = re.search(rf"^\| {words}\b.*$", page, re.MULTILINE).group()
        _, rate, more = (cell.strip() for cell in row.strip("|").split("|"))
        stated = dict(
            part.split() for part in re.split("[,;] ", more.replace("of AdamW ", "").replace(" (of Adam 0)", ""))
        )
        stated = {names.get(name, name): value for name, value in stated.items()} | {"learning_rate": rate}
        for name in words.split(", "):
            given = vars(getattr(optimizers, name)())
            wanted = {key: value for key, value in stated.items() if "decay" not in key or name != "Adam"}
            assert {key: str(value) for key, value in given.items()} == {
                key: value if value in ("True", "False") else str(float(value)) for key, value in wanted.items()
            }, name
