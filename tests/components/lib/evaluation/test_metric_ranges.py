import pytest

from retrainer.components.lib.evaluation.eval_specs import read_specs
from retrainer.components.lib.evaluation.metric_ranges import range_problems

REVERSED = {"change_threshold": {"direction": "LOWER_IS_BETTER", "absolute": {"value": 0.0}}}


def _value(**bounds):
    return {"value_threshold": {name: {"value": value} for name, value in bounds.items()}}


def _change(absolute):
    return {"change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": {"value": absolute}}}


def _problems(threshold, **metric):
    metric = {"class_name": "AUC", "threshold": threshold, **metric}
    config, wrong = read_specs([{"metrics": [{"class_name": "ExampleCount"}, metric]}], [], {})
    assert wrong == []
    return list(range_problems(config))


@pytest.mark.parametrize(
    ("threshold", "stops", "says"),
    [
        (_value(lower_bound=60), True, "no value passes. 60 percent is 0.6."),
        (_value(lower_bound=1.001), True, "no value passes"),
        (_value(upper_bound=-0.001), True, "Write lower_bound"),
        (_change(1.001), True, "no model passes"),
        (REVERSED, False, "a better model is refused. Write HIGHER_IS_BETTER."),
    ],
)
def test_a_bound_that_no_model_meets_is_named_with_its_place(threshold, stops, says):
    [problem] = _problems(threshold, config={"name": "auc"})
    assert (problem.stops, problem.place) == (stops, "evaluation.metrics_specs[0].metrics[1]")
    assert "'auc'" in problem.text
    assert says in problem.text


@pytest.mark.parametrize(
    ("threshold", "metric"),
    [
        (_value(lower_bound=1.0, upper_bound=1.0), "AUC"),
        (_value(upper_bound=0.0), "AUC"),
        (_change(-0.01), "AUC"),
        (_value(lower_bound=60), "MeanSquaredError"),
        (REVERSED, "BinaryCrossEntropy"),
    ],
)
def test_what_a_model_can_meet_is_no_problem(threshold, metric):
    assert _problems(threshold, class_name=metric) == []
