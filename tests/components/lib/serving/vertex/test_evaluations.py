import pytest
from google.protobuf import json_format
from servers.vertex import PARENT
from servers.vertex_serving_cases import WHOLE, model, serving

from retrainer.components.lib.registry.evaluation_summary import SliceMetrics
from retrainer.components.lib.serving.interface import Plan, ServiceError

SLICES = tuple(
    SliceMetrics({"carrier": f"C{number}"}, {"auc": 0.5 + number / 1000, "lift": 2.0}, number)
    for number in range(120)
)


def kept(server, version="1"):
    (evaluation,) = server.registry.evaluations[f"{PARENT}/models/orders@{version}"]
    return evaluation, server.registry.slices[evaluation.name]


def test_the_evaluation_and_its_slices_are_imported_once(server):
    service = serving(server)
    service.apply(Plan(model(7, WHOLE, *SLICES)))
    evaluation, slices = kept(server)
    assert json_format.MessageToDict(evaluation.metrics) == {"auRoc": 0.81}
    metadata = json_format.MessageToDict(evaluation.metadata)
    assert metadata["metrics"] == {"auc": 0.81, "binary_accuracy": 0.7, "example_count": 900.0}
    assert metadata["digest"] == model(7).digest
    assert len(slices) == 120
    assert slices[3].slice_.value == "carrier=C3"
    configs = json_format.MessageToDict(slices[3].slice_.slice_spec)["configs"]
    assert configs == {"carrier": {"value": {"stringValue": "C3"}}}
    imports = [one for one in server.requests if one.path.endswith("batchImport")]
    assert len(imports) == 3
    service.apply(Plan(model(7, WHOLE, *SLICES)))
    assert len(kept(server)[1]) == 120


def test_regression_metrics_have_their_schema(server):
    metrics = {"mean_squared_error": 4.0, "mean_absolute_error": 1.5, "calibration": float("nan")}
    serving(server).apply(Plan(model(7, SliceMetrics({}, metrics))))
    evaluation, _ = kept(server)
    assert "regression_metrics" in evaluation.metrics_schema_uri
    assert json_format.MessageToDict(evaluation.metrics) == {
        "rootMeanSquaredError": 2.0,
        "meanAbsoluteError": 1.5,
    }
    assert "calibration" not in json_format.MessageToDict(evaluation.metadata)["metrics"]


def test_metrics_that_no_schema_has_are_said(server):
    served = serving(server).apply(Plan(model(7, SliceMetrics({}, {"lift": 2.0}))))
    assert any("none of lift" in note for note in served.notes)
    assert not server.registry.evaluations


@pytest.mark.parametrize("path", ["evaluations:import", "slices:batchImport"])
def test_after_a_lost_reply_nothing_is_imported_twice(server, path):
    server.fail_next(path=path, after=True, status=0)
    serving(server).apply(Plan(model(7, WHOLE, *SLICES[:70])))
    _, slices = kept(server)
    assert len(slices) == len({one.slice_.value for one in slices}) == 70


def test_an_evaluation_that_is_refused_leaves_the_version_serving(server):
    server.fail_next(path="evaluations:import", status=400)
    with pytest.raises(ServiceError, match="version 7 serves; its evaluation is not"):
        serving(server).apply(Plan(model(7, WHOLE)))
    assert serving(server).status().traffic == {7: 100}
    serving(server).apply(Plan(model(7, WHOLE)))
    assert kept(server)
