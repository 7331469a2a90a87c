"""What `config check` says of the evaluation's settings before any data is read."""

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest
import tensorflow_model_analysis as tfma

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.evaluation.eval_config import build_eval_config, evaluation_problems
from retrainer.components.lib.evaluation.eval_specs import settings_problems

FLOOR = {"value_threshold": {"lower_bound": 0.7}}
CHANGE = {"change_threshold": {"absolute": 0.0, "direction": "HIGHER_IS_BETTER"}}


def specs(*metrics: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [{"metrics": [{"class_name": "AUC", "threshold": FLOOR}, *metrics], **more}]


def test_good_settings_have_no_problems() -> None:
    carrier = {"feature_keys": ["carrier"]}
    metrics = specs(
        {
            "class_name": "BinaryAccuracy",
            "per_slice_thresholds": [
                {"slicing_specs": [{}, carrier], "threshold": {**FLOOR, **CHANGE}},
                {"slicing_specs": [{"feature_values": {"carrier": "UA"}}], "threshold": FLOOR},
            ],
        }
    )
    assert (
        evaluation_problems(
            metrics, [carrier], {"min_slice_size": 20}, "late", "w", ["carrier", "w"]
        )
        == []
    )


@pytest.mark.parametrize(
    ("settings", "stops", "words"),
    [
        (
            {"metrics_specs": specs({"class_name": "auroc"})},
            True,
            "TFMA knows no metric 'auroc'.",
        ),
        (
            {"metrics_specs": specs({"class_name": "FairnessIndicators"})},
            True,
            "add module: fairness_indicators.fairness_indicators_metrics",
        ),
        (
            {"metrics_specs": specs({"class_name": "squaredhing"})},
            True,
            "TFMA knows no metric 'squaredhing'. Did you mean 'SquaredHinge",
        ),
        (
            {"metrics_specs": specs({"class_name": "SensitivityAtSpecificity"})},
            True,
            "the metric 'SensitivityAtSpecificity' doesn't take the config ''",
        ),
        (
            {"metrics_specs": specs({"class_name": "Recall", "config": "thresholds: 0.5"})},
            True,
            "the metric 'Recall' doesn't take the config 'thresholds: 0.5': it is not JSON",
        ),
        (
            {
                "metrics_specs": [
                    {
                        "metrics": [
                            {
                                "class_name": "AUC",
                                "threshold": {"value_threshold": {"lower_bounds": 0.7}},
                            }
                        ]
                    }
                ]
            },
            True,
            "evaluation.metrics_specs[0].metrics[0].threshold.value_threshold has no field 'lower_bounds'. "
            "Did you mean 'lower_bound",
        ),
        ({"metrics_specs": specs(), "options": {"min_slice": 3}}, True, "Did you mean 'min_slice_"),
        ({"metrics_specs": specs(), "slicing_specs": ["carrier"]}, True, "must be a mapping"),
        (
            {"metrics_specs": specs(thresholds={"auroc": FLOOR})},
            True,
            "the threshold of 'auroc' stands beside the metrics",
        ),
        (
            {
                "metrics_specs": specs(
                    {"class_name": "Recall", "per_slice_thresholds": [{"threshold": FLOOR}]}
                )
            },
            True,
            "per_slice_thresholds of 'Recall' name no slicing_specs",
        ),
        (
            {
                "metrics_specs": specs(
                    {
                        "class_name": "Recall",
                        "threshold": {"value_threshold": {"lower_bound": 0.9, "upper_bound": 0.2}},
                    }
                )
            },
            True,
            "lower_bound (0.9) above its upper_bound (0.2), so no value passes",
        ),
        (
            {"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]},
            False,
            "no metric has a threshold, so no model can be blessed",
        ),
        (
            {"metrics_specs": [{"metrics": [{"class_name": "AUC", "threshold": CHANGE}]}]},
            False,
            "the first model has no champion to compare with",
        ),
        (
            {
                "metrics_specs": specs(
                    {
                        "class_name": "Recall",
                        "per_slice_thresholds": [
                            {"slicing_specs": [{"feature_keys": ["origin"]}], "threshold": FLOOR}
                        ],
                    }
                ),
                "slicing_specs": [{"feature_keys": ["carrier"]}],
            },
            False,
            "slices by origin, which slicing_specs do not make",
        ),
        (
            {"metrics_specs": specs(), "slicing_specs": [{"feature_keys": ["career"]}]},
            True,
            "evaluation.slicing_specs[0] names the column 'career', which the schema does not have. "
            "Did you mean 'carrier'?",
        ),
        (
            {"metrics_specs": specs(), "example_weight_key": "pounds"},
            True,
            "evaluation.example_weight_key names the column 'pounds'",
        ),
    ],
)
def test_a_problem_is_named_with_its_fix(settings: dict[str, Any], stops: bool, words: str) -> None:
    problems = evaluation_problems(**settings, label="late", columns=["carrier", "origin"])
    assert [problem.stops for problem in problems] == [stops]
    assert words in problems[0].text


def test_all_problems_are_named_at_once() -> None:
    metrics = specs({"class_name": "Recal"}, {"class_name": "Precision", "config": {"top": 1}})
    texts = [p.text for p in evaluation_problems(metrics, [{"feature_keys": ["x"]}], columns=["y"])]
    assert len(texts) == 3
    with pytest.raises(RetrainerError) as error:
        build_eval_config(metrics, [], {}, "late")
    assert str(error.value).splitlines()[0].startswith("TFMA knows no metric 'Recal'")
    for wrong in ({"value_threshold": {}}, {"change_threshold": {"absolute": 0.1}}):
        with pytest.raises(RetrainerError, match=r"the (value|change)_threshold of 'AUC' has no"):
            build_eval_config(
                [{"metrics": [{"class_name": "AUC", "threshold": wrong}]}], [], {}, "y"
            )
    assert "'Precision' has no argument 'top', and TFMA ignores it. Did you mean 'top_k" in str(
        error.value
    )


def test_what_stops_the_evaluation_comes_first() -> None:
    metrics = [{"metrics": [{"class_name": "AUC"}]}]
    problems = evaluation_problems(metrics, [{"feature_keys": ["career"]}], columns=["carrier"])
    assert [problem.stops for problem in problems] == [True, False]
    assert "no metric has a threshold" in problems[1].text


def test_class_weights_by_whole_numbers_are_taken() -> None:
    """YAML reads `{0: 1.0}` with a number as key, KFP passes text on."""
    for weights in ({0: 1.0, 1: 3.0}, {"0": 1.0, "1": 3.0}):
        config = build_eval_config(
            [
                {
                    "binarize": {"class_ids": {"values": [0.0, 1.0]}},
                    "aggregate": {"macro_average": True, "class_weights": weights},
                    "metrics": [{"class_name": "Precision"}],
                }
            ],
            [],
            {},
            "late",
        )
        assert dict(config.metrics_specs[0].aggregate.class_weights) == {0: 1.0, 1: 3.0}


class _ForModels(tfma.metrics.Metric):
    """A metric of a user's module that takes as many models as it was made for."""

    def __init__(self, models: int = 1, name: str = "for_models") -> None:
        self._models = models
        super().__init__(self._make, name=name, models=models)

    def _make(self, model_names: Sequence[str], models: int, **_: Any) -> list[Any]:
        if len(model_names) != models:
            raise ValueError(f"it takes {models}, and there are {len(model_names)}")
        return []


@pytest.mark.parametrize("models", [1, 2])
def test_a_metric_that_fails_with_or_without_a_champion_is_named_before_the_first_run(
    monkeypatch: pytest.MonkeyPatch, models: int
) -> None:
    module = ModuleType("own_metrics")
    monkeypatch.setattr(module, "ForModels", _ForModels, raising=False)
    monkeypatch.setitem(sys.modules, "own_metrics", module)
    own = {"class_name": "ForModels", "module": "own_metrics", "config": {"models": models}}
    metrics = specs(own)
    (problem,) = evaluation_problems(metrics)
    assert f"it takes {models}, and there are {3 - models}" in problem.text
    assert build_eval_config(metrics, [], {}, "y", "", models == 2)


NDCG = {"class_name": "NDCG", "config": {"gain_key": "clicks", "top_k_list": [10]}}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"metrics": [NDCG], "query_key": "quer"},
            "evaluation.metrics_specs[1].query_key names the column 'quer', which the schema does not have. "
            "Did you mean 'query'?",
        ),
        (
            {
                "metrics": [{**NDCG, "config": {"gain_key": "click", "top_k_list": [1]}}],
                "query_key": "query",
            },
            "evaluation.metrics_specs[1].metrics[0].config.gain_key names the column 'click', which the schema does "
            "not have. Did you mean 'clicks'?",
        ),
        ({"metrics": [NDCG]}, "'NDCG' is a metric of rankings, and its metrics_specs has no query"),
        (
            {"metrics": [{**NDCG, "config": {"gain_key": "clicks"}}], "query_key": "query"},
            "'NDCG' needs to know how many rows of a query count. Add them beside metrics: binarize:",
        ),
        (
            {"metrics": [{**NDCG, "threshold": FLOOR}], "query_key": "query"},
            "Put it beside metrics: binarize: {top_k_list: {values: [10]}}.",
        ),
        (
            {"metrics": [{"class_name": "AUC"}], "query_key": "query"},
            "'auc' would be a result of rows and of queries by 'query'. Name one of the two",
        ),
        (
            {"metrics": [{"class_name": "ExampleCount"}], "query_key": "query"},
            "'example_count' would be a result of",
        ),
    ],
)
def test_a_ranking_needs_its_columns(more: dict[str, Any], words: str) -> None:
    problems = evaluation_problems([*specs(), more], label="late", columns=["clicks", "query"])
    assert [words in problem.text for problem in problems] == [True]
    assert problems[0].stops
    columns = ["clicks", "query"]
    right = {"metrics": [NDCG], "query_key": "query"}
    assert evaluation_problems([*specs(), right], label="late", columns=columns) == []
    beside = {**right, "metrics": [{**NDCG, "config": {"gain_key": "clicks"}, "threshold": FLOOR}]}
    beside["binarize"] = {"top_k_list": {"values": [10]}}
    assert evaluation_problems([*specs(), beside], label="late", columns=columns) == []


def metric(**more: Any) -> dict[str, Any]:
    return {"class_name": "Recall", **more}


def value(**bounds: float) -> dict[str, Any]:
    return {"threshold": {"value_threshold": bounds}}


def change(**bounds: Any) -> dict[str, Any]:
    return {"threshold": {"change_threshold": bounds}}


def of_slices(*slices: dict[str, Any]) -> dict[str, Any]:
    return {"per_slice_thresholds": [{"slicing_specs": [*slices], "threshold": FLOOR}]}


HIGHER = "HIGHER_IS_BETTER"
OF_UA, BY_BOTH = {"feature_values": {"carrier": "UA"}}, {"feature_keys": ["carrier", "origin"]}
SECOND = "evaluation.metrics_specs[0].metrics[1]"


@pytest.mark.parametrize(
    ("one", "beside", "slices", "found"),
    [
        (metric(**value(lower_bound=0.2, upper_bound=0.2)), {}, [], {}),
        (metric(**value(lower_bound=0.2)), {}, [], {}),
        (metric(**value(upper_bound=0.2)), {}, [], {}),
        ({"class_name": "MeanLabel", **value(upper_bound=-0.2)}, {}, [], {}),
        (metric(**value()), {}, [], {SECOND: "the value_threshold of 'Recall' has no bound"}),
        (metric(**change(absolute=0.0, direction=HIGHER)), {}, [], {}),
        (metric(**change(relative=0.0, direction=HIGHER)), {}, [], {}),
        (metric(**change(direction=HIGHER)), {}, [], {SECOND: "the change_threshold of 'Recall' has no bound"}),
        (metric(**change(absolute=0.0)), {}, [], {SECOND: "the change_threshold of 'Recall' has no direction"}),
        (
            metric(config={"name": "mine"}, **value()),
            {},
            [],
            {SECOND: "the value_threshold of 'mine' has no bound"},
        ),
        # What TFMA leaves unchecked, wherever it stands.
        (metric(cross_slice_thresholds=[{}]), {}, [], {SECOND: "cross_slice_thresholds are not supported"}),
        (
            metric(),
            {"cross_slice_thresholds": {"auc": {}}},
            [],
            {"evaluation.metrics_specs[0]": "cross_slice_thresholds are not supported"},
        ),
        (
            metric(config='"name": "mine"'),
            {"per_slice_thresholds": {"mine": {}}},
            [],
            {"evaluation.metrics_specs[0]": "Put it with its metric: metrics: [{class_name: ..., threshold: ...}]."},
        ),
        (
            metric(config={"name": "mine"}),
            {"thresholds": {"mind": FLOOR}},
            [],
            {"evaluation.metrics_specs[0]": "threshold: ...}]. Did you mean 'mine'?"},
        ),
        # A threshold of slices needs slices of just these columns.
        (metric(**of_slices(OF_UA)), {}, [{"feature_keys": ["carrier"]}], {}),
        (metric(**of_slices(OF_UA)), {}, [OF_UA], {}),
        (
            metric(**of_slices(OF_UA)),
            {},
            [{"feature_values": {"carrier": "HA"}}, BY_BOTH],
            {SECOND: "'Recall' is about slices by carrier = UA, which slicing_specs do not make"},
        ),
        (
            metric(config={"name": "mine"}, **of_slices({}, BY_BOTH)),
            {},
            [{"feature_keys": ["carrier"]}],
            {SECOND: "'mine' is about slices by carrier, origin, which slicing_specs do not make"},
        ),
        (metric(**of_slices(BY_BOTH)), {}, [{"feature_keys": ["origin"], **OF_UA}], {}),
        (metric(config="[1]"), {}, [], {f"{SECOND}.config": "doesn't take the config '[1]': it is not JSON"}),
        ({"class_name": "Mine", "module": "of.mine", "config": {"x": 1}}, {}, [], {}),
        ({"class_name": "FairnessIndicators", "module": "fairness_indicators.x"}, {}, [], {}),
    ],
)  # fmt: skip
def test_a_setting_is_named_by_its_place_and_one_beside_it_is_not(
    one: dict[str, Any],
    beside: dict[str, Any],
    slices: list[dict[str, Any]],
    found: dict[str, str],
) -> None:
    auc = {"class_name": "AUC", "threshold": FLOOR}
    settings = [{"metrics": [auc, one], **beside}], slices, {}
    # Slices and weights may be by the label.
    problems = settings_problems(*settings, "origin", "origin", ["carrier"])
    assert [problem.place for problem in problems] == list(found)
    for problem, words in zip(problems, found.values(), strict=True):
        assert words in problem.text
        assert problem.stops != ("slicing_specs do not make" in words)


def test_no_metrics_and_no_thresholds_are_named_with_what_to_write() -> None:
    (none, _) = settings_problems([{}], [], {}, "late", "", None)
    assert "the evaluation has no metrics" in none.text
    floor = [{"metrics": [metric(**change(absolute=0.0, direction=HIGHER))]}, {}]
    (only,) = settings_problems(floor, [], {}, "late", "", None)
    assert only.text.startswith("there are change_thresholds only")


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"metrics": [{}, {"clas_name": "AUC"}]}, "metrics_specs[0].metrics[1] has no field 'clas"),
        (
            {"thresholds": {"auc": {"value_treshold": {}}}},
            "thresholds.auc has no field 'value_tres",
        ),
        ({"thresholds": {"auc": 7}}, "thresholds.auc must be a mapping of MetricThreshold's"),
        ({"binarize": {"clas_ids": {}}}, "metrics_specs[0].binarize has no field 'clas_ids'"),
        (
            {"metrics": [7]},
            "metrics_specs[0].metrics[0] must be a mapping of MetricConfig's fields",
        ),
    ],
)
def test_an_unknown_field_is_found_at_any_depth(spec: dict[str, Any], place: str) -> None:
    (problem,) = settings_problems([spec], [], {}, "late", "", None)
    assert place in problem.text
    good = {"metrics": [{"className": "AUC", "threshold": None}], "binarize": None}
    assert settings_problems([good], [], {}, "late", "", None)[0].text.startswith("no metric has")
