"""The experiment of a pipeline in MLflow, and a run for each version with parameters and metrics."""

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ...words import name_spans
from ..interface import ServedModel
from .rest import EXISTS, MISSING, MLflowError, Rest

PREFIX = "retrainer"
"""Of every tag that retrainer sets."""
# mlflow/mlflow, mlflow/utils/validation.py: MAX_METRICS_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH, MAX_ENTITY_KEY_LENGTH,
# and the shortest limit of a parameter's value that releases have had.
_MOST_METRICS, _MOST_PARAMS, _MOST_KEY, _MOST_VALUE = 1000, 100, 250, 500
_NOT_IN_KEYS = re.compile(r"[^\w\-. /]")
_FINISHED = "FINISHED"

One = TypeVar("One")


@dataclass(frozen=True)
class Tracking:
    """The runs of an experiment.

    Attributes:
        rest: The server.
        experiment: The experiment's name.
        slices: Whether metrics of slices are logged, too.
    """

    rest: Rest
    experiment: str
    slices: bool = True

    def log(self, model: ServedModel, tags: Mapping[str, str]) -> str:
        """Log a version as a run, unless an earlier attempt did.

        Args:
            model: The version.
            tags: The tags by which its run is found again.

        Returns:
            The run's id.
        """
        experiment = self._experiment_id()
        run = self._find(experiment, tags)
        if run is None:
            run = self.rest.post(
                "runs/create",
                experiment_id=experiment,
                run_name=f"version {model.version}",
                start_time=int(time.time() * 1000),
                tags=as_pairs(tags),
            )["run"]
        about = run["info"]
        if about.get("status") == _FINISHED:
            return str(about["run_id"])
        # A metric of the same time, step and value is kept once, so an attempt that stopped here may be repeated.
        moment = int(about.get("start_time") or 0)
        metrics = [
            {"key": key, "value": value, "timestamp": moment, "step": 0}
            for key, value in self._metrics(model)
        ]
        for params in _batches(list(_params(model)), _MOST_PARAMS):
            self.rest.post("runs/log-batch", run_id=about["run_id"], params=params)
        for some in _batches(metrics, _MOST_METRICS):
            self.rest.post("runs/log-batch", run_id=about["run_id"], metrics=some)
        self.rest.post(
            "runs/update",
            run_id=about["run_id"],
            status=_FINISHED,
            end_time=int(time.time() * 1000),
        )
        return str(about["run_id"])

    def _experiment_id(self) -> str:
        try:
            return self._experiment_by_name()
        except MLflowError as error:
            if error.code != MISSING:
                raise
        try:
            return str(self.rest.post("experiments/create", name=self.experiment)["experiment_id"])
        except MLflowError as error:
            if error.code != EXISTS:
                raise
            return self._experiment_by_name()

    def _experiment_by_name(self) -> str:
        found = self.rest.get("experiments/get-by-name", experiment_name=self.experiment)
        experiment = found["experiment"]
        if experiment.get("lifecycle_stage") == "deleted":
            raise MLflowError(
                f"the experiment '{self.experiment}' in MLflow is deleted. Restore it ('mlflow experiments restore'), "
                "or set another serving.deploy.mlflow.experiment."
            )
        return str(experiment["experiment_id"])

    def _find(self, experiment: str, tags: Mapping[str, str]) -> Any:
        wanted = " and ".join(f"tags.`{key}` = {quoted(value)}" for key, value in tags.items())
        found = self.rest.post(
            "runs/search", experiment_ids=[experiment], filter=wanted, order_by=["start_time ASC"]
        ).get("runs")
        return found[0] if found else None

    def _metrics(self, model: ServedModel) -> Iterator[tuple[str, float]]:
        for one in model.evaluation if self.slices else model.evaluation[:1]:
            place = "".join(f"{column}/{value}/" for column, value in one.slice.items())
            prefix = f"slices/{place}" if place else ""
            for name, value in one.metrics.items():
                if math.isfinite(value):
                    yield metric_key(f"{prefix}{name}"), value


def metric_key(text: str) -> str:
    """Return a name that MLflow takes for a metric: it refuses some characters, and long names."""
    key = _NOT_IN_KEYS.sub("_", text)
    # Parts of a path that are empty or dots are refused, too.
    parts = (part if part.strip(". ") else "_" * max(1, len(part)) for part in key.split("/"))
    return "/".join(parts)[:_MOST_KEY]


def as_pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Write a mapping as MLflow's API has it."""
    return [{"key": key, "value": value} for key, value in values.items()]


def quoted(value: str) -> str:
    """Quote a text in a filter, which has no escapes: one with both kinds of quotes can't be searched for."""
    mark = '"' if "'" in value else "'"
    return f"{mark}{value}{mark}"


def _params(model: ServedModel) -> Iterator[dict[str, str]]:
    values: dict[str, Any] = dict(model.info.get("hyperparameters") or {})
    for key in ("train_spans", "eval_spans"):
        if spans := model.info.get(key):
            values.setdefault(key, name_spans(list(spans)))
    for key, value in values.items():
        yield {"key": metric_key(str(key)), "value": str(value)[:_MOST_VALUE]}


def _batches(values: Sequence[One], most: int) -> Iterable[Sequence[One]]:
    return (values[start : start + most] for start in range(0, len(values), most))
