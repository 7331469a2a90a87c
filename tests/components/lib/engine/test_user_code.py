"""The user's functions in a process that has neither their file nor the modules beside it."""

import pickle
import sys

import pytest
from apache_beam.internal import pickler

from retrainer.components.lib.engine import user_code
from retrainer.components.lib.engine.user_code import SentFunction, sent_by_value
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.user_code.user_module import load_module

MODEL = """
import beside
from shop.prices import PRICE


class Total:
    def add(self, row):
        return beside.double(row) + PRICE


def preprocessing_fn(inputs):
    if "fail" in inputs:
        beside.fail()
    return Total().add(inputs["a"])
"""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Modules beside model.py; and a function that forgets them and all that was loaded, as in another process."""
    (tmp_path / "beside.py").write_text(
        "def double(row):\n    return 2 * row\n\n\ndef fail():\n    raise ValueError('no')\n"
    )
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "prices.py").write_text("PRICE = 5\n")
    finders, names = list(sys.meta_path), ["model", "beside", "shop", "shop.prices"]

    def forget() -> None:
        for name in names:
            sys.modules.pop(name, None)
        user_code._loaded.clear()
        sys.meta_path[:] = finders

    monkeypatch.syspath_prepend(tmp_path)

    def leave() -> None:
        sys.path.remove(str(tmp_path))
        forget()

    yield leave
    forget()


@pytest.mark.parametrize("library", ["cloudpickle", "dill"])
def test_a_function_arrives_with_the_modules_beside_its_file(elsewhere, library):
    load_module("", MODEL)
    pickler.set_library(library)
    try:
        sent = pickler.dumps(SentFunction("", MODEL, "preprocessing_fn"))
        elsewhere()
        arrived = pickler.loads(sent)
    finally:
        pickler.set_library()
    assert arrived({"a": 1}) == 7
    with pytest.raises(RetrainerError, match=r"raised, line \d+: beside\.fail\(\)\nValueError: no"):
        arrived({"a": 1, "fail": 1})


def test_classes_of_the_file_go_by_value(elsewhere):
    module = load_module("", MODEL)
    with sent_by_value(MODEL):
        sent = pickler.dumps(module.Total())
    by_name = pickler.dumps(module.Total())
    elsewhere()
    assert pickler.loads(sent).add(1) == 7
    with pytest.raises(ModuleNotFoundError, match="model"):
        pickler.loads(by_name)


def test_an_installed_module_goes_by_its_name_and_is_missed_by_it():
    arrived = pickle.loads(pickle.dumps(SentFunction("json", "", "loads")))
    assert arrived("7") == 7
    with pytest.raises(
        RetrainerError, match=r"'no_shop' can't be imported.*\n.*No module named 'no_s"
    ):
        SentFunction("no_shop", "", "preprocessing_fn")({})
