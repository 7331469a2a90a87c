"""Parameters that a pipeline is run with."""

import pytest
from kfp import dsl

from retrainer.components.lib.errors import RetrainerError

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")
OPTIONS = {"base_image": "toy:1", "install_kfp_package": False}


@dsl.component(**OPTIONS)
def say(text: str = "hello") -> str:
    print("saying", text)
    return text


@dsl.pipeline(name="simple")
def simple(text: str, rows: int = 3):
    say(text=text)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, r"needs the parameter 'text' \(a string\)"),
        ({"text": "a", "row": 1}, "no parameter 'row'. Did you mean 'rows'"),
        ({"text": "a", "zebra": 1}, "no parameter 'zebra'. It has"),
        ({"text": 3}, "parameter 'text' must be a string, not 3"),
        ({"text": "a", "rows": "many"}, "parameter 'rows' must be a whole number, not 'many'"),
        ({"text": "a", "rows": True}, "parameter 'rows' must be a whole number, not True"),
        ({"text": "a", "rows": 1.5}, "parameter 'rows' must be a whole number"),
    ],
)
def test_wrong_parameters_are_named(bench, compile_pipeline, parameters, message):
    with pytest.raises(RetrainerError, match=message):
        bench.run(compile_pipeline(simple), parameters=parameters)
    assert not bench.store.exists()
