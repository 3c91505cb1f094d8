"""The proof matrix: how it judges what commands print, keeps results, and says what could not be run."""

import json

import pytest

from tools import matrix
from tools.matrix import LINE, Row, judged, keep, main, read, rows, table
from tools.versions import Missing


def test_the_last_line_has_to_be_that_of_the_page():
    assert LINE.startswith("every bit equal: 50,901 numbers, numerics 1, 75034f31")
    assert judged("verify", 0, f"a table\n{LINE}\n") == (True, "equal: 50,901 numbers")
    other = LINE.replace("75034f31", "75034f32")
    assert judged("verify", 0, other)[0] is False
    assert judged("verify", 1, LINE)[0] is False
    assert judged("verify", 1, "", "Traceback\nValueError: no\n") == (False, "status 1: ValueError: no")
    assert judged("verify", None, "", "")[0] is False


def test_digests():
    said = "{} of 105 digests are those of golden.json\n"
    assert judged("digests", 0, said.format(105)) == (True, "105 of 105 digests")
    assert judged("digests", 1, said.format(104)) == (False, "104 of 105 digests")
    assert judged("digests", 0, "0 of 0 digests are those of golden.json\n")[0] is False
    assert judged("digests", 1, "", "MemoryError\n") == (False, "status 1: MemoryError")


def test_exported_c():
    said = "relu: 9 rows equal\n96 cases, 285000 rows equal, 3 rows refused by both, seed 0, here, 55 s\n"
    assert judged("C", 0, said) == (True, "96 networks, 285,000 results equal")
    assert judged("C", 1, said)[0] is False
    assert judged("C", 0, "0 cases, 0 rows equal, 0 rows refused") == (False, "0 networks, 0 results equal")
    assert judged("C", 0, "96 cases, 0 rows equal, 9 rows refused")[0] is False
    assert judged("C", 0, "")[0] is False


def test_every_row_has_a_name_of_its_own():
    keys = [row.key for row in rows()]
    assert len(set(keys)) == len(keys)
    assert {row.group for row in rows()} == set(matrix.GROUPS)


def test_the_page_has_these_rows():
    page = (matrix.ROOT / "docs" / "processors.md").read_text(encoding="utf-8")
    stands = page.split("<!-- matrix -->\n")[1].split("<!-- /matrix -->")[0].splitlines()
    first_two = [line.split(" | ")[:2] for line in table(rows(), {}).splitlines()]
    assert [line.split(" | ")[:2] for line in stands] == first_two


def planted(*results):
    """Rows that give these; an exception is raised."""

    def run(result):
        def give(folder):
            if isinstance(result, Exception):
                raise result
            return result

        return give

    return [Row("verify", f"row {place}", "so", run(result)) for place, result in enumerate(results)]


def test_a_row_that_differs_ends_with_1_and_is_shown(tmp_path, monkeypatch, capsys):
    every = planted((True, "equal: 5 numbers"), (False, "status 1: no"), Missing("there is no clang here"))
    monkeypatch.setattr(matrix, "rows", lambda: every)
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.endswith("1 rows differ\n")
    assert main([str(tmp_path), "--table"]) == 0
    text = capsys.readouterr().out
    assert "| row 0 | so | equal: 5 numbers | 20" in text
    assert "| row 1 | so | **differs:** status 1: no |" in text
    assert "| row 2 | so | not run: there is no clang here |" in text
    assert "| **`fastmlp verify`, this machine** |" in text


def test_what_has_a_result_is_not_run_again(tmp_path, monkeypatch):
    ran = []

    def run(folder):
        ran.append(folder)
        return True, "equal"

    monkeypatch.setattr(matrix, "rows", lambda: [Row("verify", "row", "so", run)])
    for arguments, count in (([], 1), ([], 1), (["--again"], 2), (["--list"], 2), (["--only", "row"], 2)):
        assert main([str(tmp_path), *arguments]) == 0
        assert len(ran) == count
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--only", "nothing of this name"])


def test_results_of_two_runs_are_kept(tmp_path):
    one, other = planted((True, "a"), (True, "b"))
    keep(tmp_path, one, {"equal": True, "said": "a", "date": "2026-01-02", "seconds": 1})
    keep(tmp_path, other, {"equal": None, "said": "not run: b", "date": "2026-01-02", "seconds": 1})
    assert set(read(tmp_path)) == {one.key, other.key}
    assert json.loads((tmp_path / "results.json").read_text())[one.key]["said"] == "a"
    assert len(list(tmp_path.iterdir())) == 1
    assert "not run: b" in table([one, other], read(tmp_path))


def test_the_settings_arrive_and_those_of_this_process_do_not(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_OPT", "3")
    script = "import os; print({k: v for k, v in os.environ.items() if k.startswith(('NUMBA_', 'FASTMLP_'))})"
    status, said, _ = matrix.call([matrix.sys.executable, "-c", script], {"FASTMLP_REGISTER_BYTES": "16"})
    assert (status, said) == (0, "{'FASTMLP_REGISTER_BYTES': '16'}\n")


def test_a_compiler_that_is_not_here(tmp_path):
    row = matrix.compiled("no-such-compiler", "-O2")
    with pytest.raises(Missing, match="there is no no-such-compiler here"):
        row.run(tmp_path)
