"""The evaluation of a version in the Model Registry, with its slices.

The schemas are gs://google-cloud-aiplatform/schema/modelevaluation/{classification,regression}_metrics_1.0.0.yaml.
Their fields are named as in kubeflow/pipelines, components/google-cloud/google_cloud_pipeline_components, container/
_implementation/model_evaluation/import_model_evaluation.py. A metric that they do not have goes into the metadata.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ...registry.evaluation_summary import SliceMetrics
from ...vertex_api import load_module
from ..interface import ServedModel
from .api import VertexApi
from .errors import UnansweredError
from .settings import VertexSettings

SLICES_PER_CALL = 50
_SCHEMA = "gs://google-cloud-aiplatform/schema/modelevaluation/{kind}_metrics_1.0.0.yaml"
# The schema's field by TFMA's name without case and underscores.
_FIELDS = {
    "classification": {
        "auc": "auRoc",
        "aucprecisionrecall": "auPrc",
        "binarycrossentropy": "logLoss",
        "categoricalcrossentropy": "logLoss",
        "sparsecategoricalcrossentropy": "logLoss",
        "logloss": "logLoss",
    },
    "regression": {
        "rootmeansquarederror": "rootMeanSquaredError",
        "meanabsoluteerror": "meanAbsoluteError",
        "meanabsolutepercentageerror": "meanAbsolutePercentageError",
        "rootmeansquaredlogarithmicerror": "rootMeanSquaredLogError",
        "rsquared": "rSquared",
        "squaredpearsoncorrelation": "rSquared",
    },
}


class VertexEvaluations:
    """Imports what the gate measured, once a version.

    Args:
        api: Calls the service.
        settings: Of the service.
    """

    def __init__(self, api: VertexApi, settings: VertexSettings) -> None:
        self._api = api
        self._settings = settings

    def put(self, model: ServedModel, name: str) -> str:
        """Import a model's evaluation and its slices, what of them is missing.

        Args:
            model: The model.
            name: Resource name of its version.

        Returns:
            Why nothing was imported; empty otherwise.

        Raises:
            ServiceError: If the service refuses or does not answer.
        """
        whole = next(
            (slice_metrics for slice_metrics in model.evaluation if not slice_metrics.slice), None
        )
        if whole is None:
            return ""
        kind = self._settings.model_type or _kind(whole)
        if not kind:
            return (
                f"the evaluation of version {model.version} was not imported: Vertex AI's schemas have none of "
                f"{', '.join(sorted(whole.metrics))}."
            )
        evaluation = self._api.settle(
            f"evaluation of {name}",
            lambda: self._find(model, name),
            lambda: self._import(model, name, whole, kind),
        )
        self._put_slices(model, evaluation.name, kind)
        return ""

    def _find(self, model: ServedModel, name: str) -> Any:
        def read(options: Any) -> Any:
            pages = self._api.models.list_model_evaluations(parent=name, **options())
            return next(
                (evaluation for evaluation in pages if evaluation.display_name == _display(model)),
                None,
            )

        return self._api.read(f"evaluations of {name}", read)

    def _import(self, model: ServedModel, name: str, whole: SliceMetrics, kind: str) -> None:
        message = load_module("types.model_evaluation").ModelEvaluation(
            display_name=_display(model),
            metrics_schema_uri=_SCHEMA.format(kind=kind),
            metrics=_to_schema(whole, kind),
            metadata={
                "digest": model.digest,
                "run": str(model.info.get("run", "")),
                "rows": whole.rows or 0,
                "metrics": _finite(whole.metrics),
            },
        )
        self._api.change(
            f"evaluation of {name}",
            lambda options: self._api.models.import_model_evaluation(
                parent=name, model_evaluation=message, **options()
            ),
        )

    def _put_slices(self, model: ServedModel, evaluation: str, kind: str) -> None:
        wanted = {
            _label(slice_metrics): slice_metrics
            for slice_metrics in model.evaluation
            if slice_metrics.slice and _to_schema(slice_metrics, kind)
        }
        known = self._known(evaluation) if wanted else set()
        missing = [
            self._slice(label, one, kind) for label, one in wanted.items() if label not in known
        ]
        for first in range(0, len(missing), SLICES_PER_CALL):
            self._import_slices(evaluation, missing[first : first + SLICES_PER_CALL])

    def _import_slices(self, evaluation: str, slices: list[Any]) -> None:
        """Import slices of one call; after a lost reply, those that are not listed."""
        try:
            self._api.change(
                f"slices of {evaluation}",
                lambda options: self._api.models.batch_import_model_evaluation_slices(
                    parent=evaluation, model_evaluation_slices=slices, **options()
                ),
            )
        except UnansweredError:
            known = self._known(evaluation)
            left = [one for one in slices if one.slice_.value not in known]
            if len(left) == len(slices):
                raise
            if left:
                self._import_slices(evaluation, left)

    def _known(self, evaluation: str) -> set[str]:
        def read(options: Any) -> set[str]:
            pages = self._api.models.list_model_evaluation_slices(parent=evaluation, **options())
            return {part.slice_.value for part in pages}

        return self._api.read(f"slices of {evaluation}", read)

    def _slice(self, label: str, one: SliceMetrics, kind: str) -> Any:
        types = load_module("types.model_evaluation_slice")
        configs = {
            column: {"value": {"string_value": str(value)}} for column, value in one.slice.items()
        }
        return types.ModelEvaluationSlice(
            slice_={"dimension": "slice", "value": label, "slice_spec": {"configs": configs}},
            metrics_schema_uri=_SCHEMA.format(kind=kind),
            metrics=_to_schema(one, kind),
        )


def _display(model: ServedModel) -> str:
    return f"retrainer v{model.version} {model.digest.rpartition(':')[2][:16]}"


def _label(one: SliceMetrics) -> str:
    return ", ".join(f"{column}={value}" for column, value in sorted(one.slice.items()))


def _kind(whole: SliceMetrics) -> str:
    return next((kind for kind in _FIELDS if any(_to_schema(whole, kind))), "")


def _to_schema(one: SliceMetrics, kind: str) -> dict[str, float]:
    return dict(_schema_fields(one, kind))


def _schema_fields(one: SliceMetrics, kind: str) -> Iterator[tuple[str, float]]:
    by_name = {
        name.rpartition("/")[2].replace("_", "").lower(): value
        for name, value in _finite(one.metrics).items()
    }
    squared = by_name.get("meansquarederror")
    if kind == "regression" and squared is not None and squared >= 0:
        yield "rootMeanSquaredError", math.sqrt(squared)
    for name, field in _FIELDS[kind].items():
        if name in by_name:
            yield field, by_name[name]


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Leave out what JSON has no number for."""
    return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
