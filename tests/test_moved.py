"""Modules that had other names import by them, with a word of it."""

import importlib
import pickle
import warnings

import pytest
from models import in_another_process

import fastmlp
from fastmlp import _moved


@pytest.mark.parametrize("old", sorted(_moved.MOVED))
def test_an_old_name_imports(old):
    script = f"""
import sys, warnings
warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as told:
    import fastmlp.{old}
    from fastmlp import {old}
new = sys.modules["fastmlp.{_moved.MOVED[old]}"]
assert {old} is new is fastmlp.{old} is sys.modules["fastmlp.{old}"]
assert new.__name__ == "fastmlp.{_moved.MOVED[old]}" == new.__spec__.name
print(len({{(str(one.message), one.category.__name__, one.filename) for one in told}}), told and told[0].filename)
"""
    count = in_another_process(script).split()[0]
    assert count == ("0" if old in _moved.IN_PICKLES else "1")


@pytest.mark.parametrize(("package", "name"), [("engine", "train"), ("tables", "read")])
def test_a_folder_has_what_the_file_of_its_name_had(package, name):
    home = importlib.import_module(f"fastmlp.{package}")
    with pytest.warns(DeprecationWarning, match=f"fastmlp.{package}.{name} is now"):
        found = getattr(home, name)
    assert found.__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = home.no_such_name


def test_other_names_are_not_found():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("fastmlp.no_such_module")
    with pytest.raises(AttributeError, match="no_such_module"):
        _ = fastmlp.no_such_module


def test_what_pickles_name_loads_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pickle.loads(b"cfastmlp.network\nNetwork\n.").__module__ == "fastmlp.core.network"
        assert pickle.loads(b"cfastmlp.spec\nSpec\n.") is fastmlp.Spec
