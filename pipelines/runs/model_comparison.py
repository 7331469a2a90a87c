"""Two versions of the registry, judged by evaluate_model on rows of today."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.folders import local_folder
from ...components.lib.registry.evaluation_summary import EvaluationSummary
from ...components.lib.registry.model_versions import ModelVersion
from ...components.lib.registry.registry import Registry
from ...components.lib.spans.exclusions import read_exclusions
from ...components.lib.spans.stored_spans import SpanVersion, list_stored, list_versions
from ...components.lib.store import Store
from ...components.lib.verdicts import Champion
from ..project.sections.retrain import RetrainConfig

_EVAL, _ALL = "eval", "all"


@dataclass(frozen=True)
class Comparison:
    """What a comparison measured.

    Attributes:
        version: The version that was judged.
        against: The version that it was compared with.
        span: The span whose rows both answered.
        verdict: The gate's verdict on `version`, as if `against` were the champion.
        summary: The metrics of both by slice.
        remarks: What makes the comparison unfair, one sentence each.
        report: The HTML report.
    """

    version: int
    against: int
    span: str
    verdict: str
    summary: EvaluationSummary
    remarks: tuple[str, ...]
    report: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "version": self.version,
            "against": self.against,
            "span": self.span,
            "verdict": self.verdict,
            "remarks": list(self.remarks),
            "evaluation": self.summary.to_json(),
            "report": self.report,
        }


def compare_versions(
    config: RetrainConfig, version: int, against: int, report: str, span: str = ""
) -> Comparison:
    """Judge a version as if another one were the champion.

    Both answer the evaluation rows of one span, by the metrics, slices and thresholds of `evaluation` in retrain.yaml,
    and what `gate` asks of a change.

    Args:
        config: The configuration.
        version: The version to judge.
        against: The version to compare it with.
        report: Local file for the HTML report.
        span: The span; the newest one that was ingested if empty.

    Raises:
        RetrainerError: If there is no such version or span, or the models can't be judged on it.
    """
    registry = Registry(Store(config.store).models_uri)
    judged, other = registry.get_complete(version), registry.get_complete(against)
    if judged.version == other.version:
        raise RetrainerError(f"version {version} can't be compared with itself; name two versions.")
    stored = _span(config.store, span)
    # They load Arrow and TensorFlow.
    from ...components.evaluate_model.evaluate import evaluate

    evaluation = config.evaluation
    with (
        tempfile.TemporaryDirectory(prefix="retrainer-compare-") as work,
        local_folder(judged.uri) as model,
    ):
        folders = {
            name: os.path.join(work, name)
            for name in ("examples", "champion", "evaluation", "blessing")
        }
        _write_examples(config, stored, folders["examples"])
        # On which rows it was judged before is of no interest: these are chosen here.
        champion = replace(Champion.of(other), eval_versions={}, eval_rows=None)
        champion.write(folders["champion"])
        verdict = evaluate(
            folders["examples"],
            model,
            folders["champion"],
            folders["evaluation"],
            folders["blessing"],
            os.path.abspath(report),
            evaluation.metrics_specs,
            evaluation.slicing_specs,
            evaluation.options,
            evaluation.example_weight_key or "",
            gate=config.gate.evaluation_settings(),
        )
        summary = EvaluationSummary.read(folders["blessing"])
    # The verdict says so of the other one.
    trained = f"version {version} trained on span {stored.span}, which favours it"
    remarks = (trained,) if _trained_on_all(judged, stored) else ()
    return Comparison(version, against, stored.span, verdict, summary, remarks, report)


def _span(store: str, span: str) -> SpanVersion:
    if span:
        versions = list_versions(store, span)
        if not versions:
            known = ", ".join(list(list_stored(store))[-5:]) or "none"
            raise RetrainerError(
                f"there is no span '{span}' in the store '{store}' (the newest are: {known}). Run the pipeline, which "
                "ingests it, or name another one with --span."
            )
        return versions[-1]
    excluded = read_exclusions(store)
    stored = [versions[-1] for name, versions in list_stored(store).items() if name not in excluded]
    if not stored:
        raise RetrainerError(
            f"there is no span in the store '{store}' to compare models on. The first run ingests some."
        )
    return stored[-1]


def _write_examples(config: RetrainConfig, stored: SpanVersion, folder: str) -> None:
    from ...components.lib.examples import EVAL, TRAIN, Examples, SpanPart

    name = _EVAL if _EVAL in stored.parts else _ALL
    content: Mapping[str, Any] = stored.parts[name]
    part = SpanPart(stored.span, stored.uri, name, content["rows"], tuple(content["files"]))
    if not part.rows:
        raise RetrainerError(
            f"span '{stored.span}' has no evaluation rows. Name another one with --span."
        )
    data = config.data
    Examples(
        label=data.label,
        splits={TRAIN: (), EVAL: (part,)},
        spans=(stored.span,),
        key=tuple(data.key),
        key_features=tuple(data.key_features),
        versions={stored.span: stored.version},
        lists=data.lists,
        label_keys={name: tuple(columns) for name, columns in data.label_keys.items()},
    ).write(folder)


def _trained_on_all(version: ModelVersion, stored: SpanVersion) -> bool:
    """Check whether a version trained on the very rows; those of a hash split's evaluation were held out."""
    return _EVAL not in stored.parts and stored.span in (version.info.get("train_spans") or ())
