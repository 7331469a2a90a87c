import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.user_code.user_module import load_module, user_function


def test_a_file_that_does_not_parse_names_its_line():
    with pytest.raises(RetrainerError, match=r"model\.py can't be imported, line 2: def f"):
        load_module("", "x = 1\ndef f(:\n")


def test_a_file_that_raises_on_import_names_its_line():
    with pytest.raises(RetrainerError, match=r"line 2: x = 1 / 0\nZeroDivisionError"):
        load_module("", "y = 1\nx = 1 / 0\n")


def test_a_function_that_raises_names_its_line():
    module = load_module("", "def build_model():\n    return {}['units']\n")
    with pytest.raises(
        RetrainerError, match=r"build_model in model\.py raised, line 2: return \{\}\['units'\]"
    ):
        user_function(module, "build_model")()


def test_a_missing_function_is_named():
    with pytest.raises(RetrainerError, match="no function 'build_model'"):
        user_function(load_module("", "x = 1"), "build_model")


def test_a_module_that_is_not_installed_is_named():
    with pytest.raises(RetrainerError, match="'no_such_module' can't be imported"):
        load_module("no_such_module", "")


def test_an_installed_module_is_imported_by_name():
    assert load_module("json", "").dumps([1]) == "[1]"
