from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest

from retrainer.components.lib.record_fields import known_fields


class Colour(StrEnum):
    RED = "red"


@dataclass
class Part:
    rows: int = 0


@dataclass
class Record:
    name: str
    count: int = 0
    share: float = 0.0
    done: bool = False
    number: int | None = None
    colour: Colour = Colour.RED
    parts: dict[str, Part] = field(default_factory=dict)
    pairs: tuple[tuple[float, float], ...] = ()
    anything: Any = None


def test_fields_of_other_releases_are_left_out_and_the_others_are_as_json_has_them():
    content = {
        "name": "a",
        "share": 1,
        "number": None,
        "colour": "red",
        "parts": {"all": {"rows": 1}},
        "pairs": [[0.5, 1]],
        "anything": [7],
    }
    assert known_fields(Record, {**content, "later": 1}) == content


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None},
        {"name": 7},
        {"count": True},
        {"count": 1.5},
        {"share": "0.5"},
        {"share": False},
        {"done": 1},
        {"number": "1"},
        {"colour": 1},
        {"parts": [{"rows": 1}]},
        {"parts": {"all": 1}},
        {"pairs": [[0.5, "1"]]},
        {"pairs": "ab"},
    ],
)
def test_a_value_of_another_type_is_named_with_its_key(wrong):
    [key] = wrong
    with pytest.raises(ValueError, match=f"its '{key}' is "):
        known_fields(Record, {"name": "a", **wrong})


@pytest.mark.parametrize("content", [[], None, "a", 7])
def test_what_is_no_mapping_is_an_error(content):
    with pytest.raises(ValueError, match="and no mapping"):
        known_fields(Record, content)
