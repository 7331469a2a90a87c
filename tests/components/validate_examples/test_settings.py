"""Validation's settings: what each may be, at its ends and beyond them."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.validate_examples.limits import DEFAULT_THRESHOLDS, Domain
from retrainer.components.validate_examples.settings import parse_settings


@pytest.mark.parametrize("name", ["min_domain_mass", "min_rows_fraction", "max_label_change"])
@pytest.mark.parametrize(
    ("value", "is_taken"),
    [
        (0, True),
        (1, True),
        (0.5, True),
        (-0.001, False),
        (1.001, False),
        (True, False),
        ("1", False),
    ],
)
def test_a_share_lies_between_0_and_1(name, value, is_taken):
    if is_taken:
        assert getattr(parse_settings(**{name: value}), name) == value
        return
    with pytest.raises(RetrainerError, match=rf"validation\.{name} is .*a share between 0 and 1"):
        parse_settings(**{name: value})


@pytest.mark.parametrize("name", ["max_rows_factor", "max_label_factor"])
@pytest.mark.parametrize(
    ("value", "is_taken"), [(1, True), (1.5, True), (0.999, False), (True, False), ("2", False)]
)
def test_a_factor_is_1_or_more(name, value, is_taken):
    if is_taken:
        assert getattr(parse_settings(**{name: value}), name) == value
        return
    with pytest.raises(RetrainerError, match=rf"validation\.{name} is .*1 or more"):
        parse_settings(**{name: value})


def test_what_is_not_set_has_the_documented_default():
    settings = parse_settings()
    assert (settings.min_domain_mass, settings.min_rows_fraction) == (0.99, 0.2)
    assert (settings.max_label_change, settings.max_label_factor) == (0.15, 3)
    assert settings.max_rows_factor == 3
    assert settings.drift.usual == settings.skew.usual == DEFAULT_THRESHOLDS
    assert DEFAULT_THRESHOLDS == {"infinity_norm": 0.1, "jensen_shannon_divergence": 0.3}
    assert settings.drift.chosen == frozenset()


@pytest.mark.parametrize("kind", ["drift", "skew"])
def test_a_threshold_that_is_set_takes_the_defaults_place_and_is_known_as_chosen(kind):
    settings = parse_settings(
        **{kind: {"infinity_norm": 0, "columns": {"x": {"infinity_norm": 0.5}, "y": {}}}}
    )
    other = settings.skew if kind == "drift" else settings.drift
    chosen = getattr(settings, kind)
    assert chosen.usual == {"infinity_norm": 0, "jensen_shannon_divergence": 0.3}
    assert chosen.chosen == {"infinity_norm"}
    assert chosen.columns == {"x": {"infinity_norm": 0.5}, "y": {}}
    assert (other.usual, other.chosen, other.columns) == (DEFAULT_THRESHOLDS, frozenset(), {})


@pytest.mark.parametrize("value", [-0.001, float("nan"), float("inf"), True, "0.1"])
@pytest.mark.parametrize("in_column", [False, True])
def test_a_threshold_is_a_number_from_0_up(value, in_column):
    thresholds = {"infinity_norm": value}
    place = "columns.x.infinity_norm" if in_column else "infinity_norm"
    with pytest.raises(RetrainerError, match=rf"validation\.drift\.{place} is .*0 or more"):
        parse_settings(drift={"columns": {"x": thresholds}} if in_column else thresholds)


@pytest.mark.parametrize(
    ("domain", "parsed", "names_values"),
    [
        ({"min": 0}, Domain(min=0), True),
        ({"max": 0}, Domain(max=0), True),
        ({"min": 1, "max": 1}, Domain(1, 1), True),
        ({"values": ["a", "b"]}, Domain(values=("a", "b")), True),
        ({"min_domain_mass": 0}, Domain(min_domain_mass=0), False),
        ({"values": ["a"], "min_domain_mass": 1}, Domain(None, None, ("a",), 1), True),
    ],
)
def test_a_domain_is_a_range_or_a_list(domain, parsed, names_values):
    settings = parse_settings(domains={"x": domain, "y": {"min_domain_mass": 0.5}})
    assert settings.domains["x"] == parsed
    assert settings.bounded == ({"x"} if names_values else set())


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ({"min": 2, "max": 1}, "has min 2 above max 1"),
        ({"min": True}, r"\.min is True"),
        ({"max": float("inf")}, r"\.max is inf"),
        ({"values": "ab"}, "values is"),
        ({"values": 0}, "values is 0"),
        ({"values": {"a": 1}}, "values is"),
        ({"values": ["a", 1]}, "values is"),
        ({"values": ["a"], "min": 0}, "has values and min or max"),
        ({"values": ["a"], "max": 0}, "has values and min or max"),
        ({"min_domain_mass": 1.1}, r"min_domain_mass is 1\.1"),
        ({"minimum": 0}, "has no 'minimum'.*min, max"),
        (0, "is 0"),
    ],
)
def test_a_domain_that_can_not_be_is_named(domain, says):
    with pytest.raises(RetrainerError, match=rf"validation\.domains\.x.*{says}"):
        parse_settings(domains={"x": domain})


@pytest.mark.parametrize(
    ("severity", "place"),
    [
        ({"drift": "fatal"}, "validation.severity.drift is 'fatal'"),
        ({"columns": {"x": "fatal"}}, "validation.severity.columns.x is 'fatal'"),
        ({"columns": {"x": {"drift": "fatal"}}}, "validation.severity.columns.x.drift is 'fatal'"),
        ({"columns": {"x": {"drifts": "error"}}}, "has no 'drifts'"),
        ({"drifts": "error"}, "has no 'drifts'"),
        ({"columns": ["x"]}, "columns is"),
        ({"columns": False}, "columns is False"),
    ],
)
def test_a_severity_that_can_not_be_is_named(severity, place):
    with pytest.raises(RetrainerError, match=place):
        parse_settings(severity=severity)


def test_an_unknown_number_is_named_with_those_there_are():
    with pytest.raises(RetrainerError, match=r"no 'max_rows'\. .*min_domain_mass, min_rows"):
        parse_settings(max_rows=3)
