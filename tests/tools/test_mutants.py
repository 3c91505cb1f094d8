"""tools/mutants: which changes of a text it makes, whose tests it runs, and what it says of them."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # tools/ lies beside the package

from tools.mutants import __main__ as tool  # noqa: E402
from tools.mutants.mutations import is_one, mutations  # noqa: E402

TEXT = '''
"""Words."""
from math import inf
__all__ = ["f"]
if TYPE_CHECKING:
    x = 1


def f(a: int = 3, *, b: "x < y" = 2.5) -> bool:
    """More words: a < b."""
    if (a) < (b) and a is not None:
        raise ValueError(f"{a + 1} is 1 too many" + "!")
    c = g(a, b, "ü") + 1 if True else -a
    del c
    return a not in (c,)
'''
CHANGES = [  # the line that is changed -> what comes of it
    ('def f(a: int = 3, *, b: "x < y" = 2.5) -> bool:', 'def f(a: int = 4, *, b: "x < y" = 2.5) -> bool:'),
    ('def f(a: int = 3, *, b: "x < y" = 2.5) -> bool:', 'def f(a: int = 2, *, b: "x < y" = 2.5) -> bool:'),
    ('def f(a: int = 3, *, b: "x < y" = 2.5) -> bool:', 'def f(a: int = 3, *, b: "x < y" = 5.0) -> bool:'),
    ("if (a) < (b) and a is not None:", "if not ((a) < (b) and a is not None):"),
    ("if (a) < (b) and a is not None:", "if (a) < (b) or a is not None:"),
    ("if (a) < (b) and a is not None:", "if (a) <= (b) and a is not None:"),
    ("if (a) < (b) and a is not None:", "if (a) > (b) and a is not None:"),
    ("if (a) < (b) and a is not None:", "if (a) < (b) and a is None:"),
    ('raise ValueError(f"{a + 1} is 1 too many" + "!")', "pass"),
    ('c = g(a, b, "ü") + 1 if True else -a', "pass"),
    ('c = g(a, b, "ü") + 1 if True else -a', 'c = g(a, b, "ü") + 1 if not (True) else -a'),
    ('c = g(a, b, "ü") + 1 if True else -a', 'c = g(a, b, "ü") + 1 if False else -a'),
    ('c = g(a, b, "ü") + 1 if True else -a', 'c = g(a, b, "ü") - 1 if True else -a'),
    ('c = g(a, b, "ü") + 1 if True else -a', 'c = g(a, b, "ü") + 2 if True else -a'),
    ('c = g(a, b, "ü") + 1 if True else -a', 'c = g(a, b, "ü") + 0 if True else -a'),
    ('c = g(a, b, "ü") + 1 if True else -a', 'c = g(b, a, "ü") + 1 if True else -a'),
    ("del c", "pass"),
    ("return a not in (c,)", "return None"),
    ("return a not in (c,)", "return a in (c,)"),
]


def changed_lines(source, mutation):
    """(the line before, the line after) of a change within a line."""
    before, after = source.decode().splitlines(), mutation.of(source).decode().splitlines()
    assert len(before) == len(after)
    (found,) = [(a.strip(), b.strip()) for a, b in zip(before, after, strict=True) if a != b]
    return found


def test_each_change_and_no_other():
    """Words, annotations, imports and what type checkers read stay."""
    source = TEXT.encode()
    found = [changed_lines(source, mutation) for mutation in mutations(source)]
    assert sorted(found) == sorted(CHANGES)
    assert all(is_one(mutation, source) for mutation in mutations(source))


def test_what_is_no_other_program():
    same = b"x = f(a, a)\n"
    assert {mutation.what for mutation in mutations(same)} == {"a statement is left out"}
    source = b"x = f(a, *b) + 1\n"
    found = mutations(source)
    assert not any("places" in mutation.what for mutation in found)
    for new, other in ((b"x = f(a, *b)+1", False), (b"x = = 1", False), (b"x = 2", True)):
        assert is_one(found[0]._replace(start=0, end=16, new=new), source) == other


def test_the_same_seed_draws_the_same():
    first, again, other = tool.drawn(3, 20), tool.drawn(3, 20), tool.drawn(4, 20)
    assert first == again != other
    assert len({mutant.path for mutant in first}) > 10
    assert {Path(mutant.path).name for mutant in tool.drawn(0, 20, ["stopping"])} == {"stopping.py"}
    assert len(tool.drawn(0, 10**6, ["errors"])) < 10


def test_every_module_has_tests():
    for path in tool.modules():
        assert all((ROOT / test).is_file() for test in tool.tests_of(path)), path
    assert tool.tests_of("fastmlp/core/data.py") == ("tests/core/test_data.py",)
    assert len(tool.tests_of("fastmlp/estimators/base.py")) > 1
    with pytest.raises(ValueError, match=r"new_module.py has no tests/test_new_module"):
        tool.tests_of("fastmlp/new_module.py")
    names = {path.removeprefix("fastmlp/").removesuffix(".py") for path in tool.modules()}
    assert set(tool.TESTS) <= names, "these modules are gone"


@pytest.mark.slow
def test_the_runner(monkeypatch, capsys, tmp_path):
    """One that is killed, one that nobody can tell, and that one again where it is in the list."""
    path = "fastmlp/stopping.py"
    every = tool.drawn(0, 10**6, ["stopping"])
    killed = next(mutant for mutant in every if "self.waited <= self.rule.patience" in mutant.diff())
    text = killed.source
    start = text.index(b"# recorded epochs since")
    unseen = killed._replace(mutation=killed.mutation._replace(what="a comment", start=start, end=start + 1, new=b"##"))
    monkeypatch.setattr(tool, "drawn", lambda *_: [killed, unseen])
    known = tmp_path / "equivalent.txt"
    known.write_text("# none\n")
    monkeypatch.setattr(tool, "EQUIVALENT", known)
    assert tool.main(["--processes", "2"]) == 1
    said = capsys.readouterr().out
    assert re.search(rf"^killed .*{path}: another comparison$", said, re.MULTILINE), said
    assert re.search(rf"^SURVIVED .*{path}: a comment\n@@ .*\n-.*\n\+ .*## recorded", said, re.MULTILINE), said
    assert said.splitlines()[-1] == "1 killed, 0 equivalent, 1 SURVIVED, 0 ERROR"
    known.write_text(f"{unseen.key()} :: a comment\n")
    monkeypatch.setattr(tool, "drawn", lambda *_: [unseen])
    assert tool.main(["--processes", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 killed, 1 equivalent, 0 SURVIVED, 0 ERROR"


def test_each_module_has_tests():
    for path in tool.modules():
        assert tool.tests_of(path)
