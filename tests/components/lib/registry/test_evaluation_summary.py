import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from retrainer.components.lib.uris import read_json, write_json

OVERALL = SliceMetrics({}, {"auc": 0.9}, 600, {"auc": 0.8}, {"auc": (0.85, 0.95)})


def test_a_summary_is_read_as_it_was_written(tmp_path):
    written = EvaluationSummary(
        (OVERALL, SliceMetrics({"carrier": "UA", "hour": "7"})), 3, "blessed", 2
    )
    written.write(str(tmp_path))
    assert EvaluationSummary.read(str(tmp_path)) == written
    assert [one.name for one in written.slices] == ["overall", "carrier = UA, hour = 7"]
    assert written.overall is OVERALL


def test_where_none_was_written_it_is_empty(tmp_path):
    empty = EvaluationSummary.read(str(tmp_path))
    assert (empty.slices, empty.overall.metrics) == ((), {})


def test_a_thousand_slices_are_kept_and_the_others_counted(tmp_path):
    many = tuple(SliceMetrics({"tail": str(number)}) for number in range(1_200))
    EvaluationSummary((OVERALL, *many)).write(str(tmp_path))
    read = EvaluationSummary.read(str(tmp_path))
    assert (len(read.slices), read.left_out) == (1_000, 201)
    assert read.overall == OVERALL


def test_unknown_keys_are_ignored_and_another_format_is_named(tmp_path):
    EvaluationSummary((OVERALL,)).write(str(tmp_path))
    file = str(tmp_path / "evaluation.json")
    content = read_json(file)
    write_json(file, {**content, "colour": "green", "slices": [{**content["slices"][0], "new": 1}]})
    assert EvaluationSummary.read(str(tmp_path)).slices == (OVERALL,)
    write_json(file, {**content, "format": 2})
    with pytest.raises(RetrainerError, match=r"has format 2, .* reads format 1"):
        EvaluationSummary.read(str(tmp_path))
    for damage in ({"slices": 7}, {"slices": [7]}, {"verdict": 7}, {"left_out": ["x"]}):
        write_json(file, {**content, **damage})
        with pytest.raises(RetrainerError, match=r"evaluation\.json' is not what retrainer writes"):
            EvaluationSummary.read(str(tmp_path))
