"""Docstrings of the public names: each has one, and its sections name exactly the parameters of the signature."""

import importlib
import inspect
import re

import pytest

import fastmlp

MODULES = (
    "callbacks", "core.summary", "errors", "history", "losses", "model", "optimizers", "predictor", "schedules", "spec",
    "splits", "stopping", "estimators.classifier", "estimators.regressor", "study.runs", "study.study", "sweep.many",
    "sweep.results", "sweep.sweep", "tables.table_model", "ensemble.ensemble", "cross_validation.result",
    "cross_validation.validate", "fit.transcript", "verification.auditing", "verification.bisecting",
    "tabular.classifier", "tabular.regressor",
)  # fmt: skip
SECTIONS = ("Parameters", "Attributes", "Returns", "Raises", "Warns", "Notes", "References", "Examples")
HEADING = re.compile(r"^(\w+)\n(-+)$", re.MULTILINE)


def sections(doc):
    """{heading: text} of a numpydoc docstring, in its order."""
    found = list(HEADING.finditer(doc))
    ends = [*(heading.start() for heading in found[1:]), len(doc)]
    return {heading.group(1): doc[heading.end() : end] for heading, end in zip(found, ends, strict=False)}


def named(section):
    """The names that a section of parameters describes."""
    lines = [line for line in section.splitlines() if " : " in line and not line.startswith(" ")]
    return [name.strip() for line in lines for name in line.split(" : ")[0].split(",")]


def parameters_of(thing):
    """The names of a signature, without self and cls."""
    kinds = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(thing).parameters.values()
    return [kinds.get(p.kind, "") + p.name for p in found if p.name not in ("self", "cls")]


def wrong(thing):
    """What is wrong with the docstring of a class, a function or a property; None if nothing is."""
    doc = inspect.getdoc(thing)
    if not doc:
        return "no docstring"
    found = sections(doc)
    for heading, underline in HEADING.findall(doc):
        if heading not in SECTIONS or len(underline) != len(heading):
            return f"section {heading}"
    if list(found) != sorted(found, key=SECTIONS.index):
        return "order of sections"
    if isinstance(thing, property) or (isinstance(thing, type) and issubclass(thing, BaseException)):
        return None
    expected = parameters_of(thing)
    described = named(found.get("Parameters", ""))
    if isinstance(thing, type) and not described:
        described = [name for name in named(found.get("Attributes", "")) if name in expected]  # made by other means
    return None if described == expected else f"describes {described}, and takes {expected}"


def members(cls):
    """(name, public method or property) of those that a class defines itself."""
    for name, member in vars(cls).items():
        if not name.startswith("_") and (callable(member) or isinstance(member, (classmethod, staticmethod, property))):
            yield name, member if isinstance(member, property) else getattr(cls, name)


def public():
    """(module, qualified name, object) of everything public that is defined in MODULES."""
    for name in MODULES:
        try:
            module = importlib.import_module(f"fastmlp.{name}")
        except ImportError:  # scikit-learn is not installed
            continue
        for key, thing in vars(module).items():
            if key.startswith("_") or getattr(thing, "__module__", None) != module.__name__ or not callable(thing):
                continue
            yield name, key, thing
            if isinstance(thing, type):
                yield from ((name, f"{key}.{part}", member) for part, member in members(thing))


@pytest.mark.parametrize(("module", "name", "thing"), [pytest.param(*it, id=".".join(it[:2])) for it in public()])
def test_a_docstring_names_the_parameters(module, name, thing):
    assert wrong(thing) is None


def test_every_exported_class_is_checked():
    exported = {name for name in fastmlp.__all__ if name[0].isupper()}
    assert exported <= {name for _, name, _ in public()}


class Good:
    """A class.

    Parameters
    ----------
    first, second : int
        Numbers.
    """

    def __init__(self, first, second):
        pass

    def method(self, x, *rest):
        """A method.

        Parameters
        ----------
        x : float
            A number.
        *rest : float
            More numbers.

        Returns
        -------
        float
        """


def bare(x):
    pass


def other(x):
    """A function.

    Parameters
    ----------
    y : float
        Not x.
    """


def missing(x, y):
    """A function.

    Parameters
    ----------
    x : float
        A number.
    """


def underlined():
    """A function.

    Returns
    ----
    float
    """


def swapped():
    """A function.

    Raises
    ------
    ValueError
        Never.

    Returns
    -------
    float
    """


def test_the_check_of_a_docstring_sees_what_is_wrong():
    assert wrong(Good) is None
    assert wrong(Good.method) is None
    assert [name for name, _ in members(Good)] == ["method"]
    said = [wrong(thing) for thing in (bare, other, missing, underlined, swapped)]
    assert said == [
        "no docstring",
        "describes ['y'], and takes ['x']",
        "describes ['x'], and takes ['x', 'y']",
        "section Returns",
        "order of sections",
    ]
