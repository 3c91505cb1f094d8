"""Modules that had other names import by them, with a word of it."""

import importlib
import pickle
import warnings

import pytest
from models import in_another_process

import fastmlp
from fastmlp import _moved


def test_old_names_import():
    script = """
import importlib, sys, warnings
import fastmlp
from fastmlp import _moved
warnings.simplefilter("always")
for old, new in _moved.MOVED.items():
    with warnings.catch_warnings(record=True) as told:
        exec(f"import fastmlp.{old}\\nfrom fastmlp import {old} as found")
    module = sys.modules[f"fastmlp.{new}"]
    assert found is module is sys.modules[f"fastmlp.{old}"] is getattr(fastmlp, old), old
    assert module.__name__ == f"fastmlp.{new}" == module.__spec__.name, old
    said = {(str(one.message), one.category.__name__, one.filename) for one in told}
    expected = (f"fastmlp.{old} is now fastmlp.{new}", "DeprecationWarning", "<string>")
    assert said == (set() if old in _moved.IN_PICKLES else {expected}), (old, said)
print(len(_moved.MOVED))
"""
    assert in_another_process(script).split() == [str(len(_moved.MOVED))]


@pytest.mark.parametrize(("package", "name"), [("engine", "train"), ("tables", "read")])
def test_a_folder_has_what_the_file_of_its_name_had(package, name):
    home = importlib.import_module(f"fastmlp.{package}")
    with pytest.warns(DeprecationWarning, match=f"fastmlp.{package}.{name} is now"):
        found = getattr(home, name)
    assert found.__name__ == {"read": "read_table"}.get(name, name)
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
