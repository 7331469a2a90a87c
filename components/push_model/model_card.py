"""The model card of a version, in the public model-card schema v0.0.2.

The schema is that of tensorflow/model-card-toolkit, `model_card_toolkit/schema/v0.0.2/model_card.schema.json`.
"""

from collections.abc import Mapping
from typing import Any

from ..lib.registry.evaluation_summary import EvaluationSummary
from ..lib.registry.model_versions import ModelVersion
from ..lib.words import name_spans

SCHEMA_VERSION = "0.0.2"
_CONSIDERATIONS = ("users", "use_cases", "limitations", "tradeoffs")


def model_card(
    version: ModelVersion, evaluation: EvaluationSummary, card: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the model card of a version as JSON values; what is unknown is left out.

    Args:
        version: The version.
        evaluation: What the gate measured.
        card: What people say of the model: `name`, and the keys of `model.card` in retrain.yaml.
    """
    info = version.info
    details = {
        "name": str(card.get("name") or "model"),
        "overview": card.get("overview"),
        "documentation": card.get("documentation"),
        "owners": list(card.get("owners") or ()),
        "version": _filled(
            {
                "name": str(version.version),
                "date": str(info.get("pushed_at") or "")[:10],
                "diff": evaluation.verdict,
            }
        ),
        "licenses": _licenses(card),
        "references": [{"reference": one} for one in card.get("references") or ()],
        "citations": [{"citation": one} for one in card.get("citations") or ()],
    }
    considerations: dict[str, Any] = {
        name: [{"description": text} for text in card.get(name) or ()] for name in _CONSIDERATIONS
    }
    considerations["ethical_considerations"] = list(card.get("ethical_considerations") or ())
    parameters = {
        "model_architecture": architecture(info),
        "data": datasets(info),
        "input_format": "Columns by name; schema.pbtxt beside this card has their types and domains."
        if info.get("schema", {}).get("number")
        else "",
    }
    whole = {
        "schema_version": SCHEMA_VERSION,
        "model_details": _filled(details),
        "model_parameters": _filled(parameters),
        "quantitative_analysis": _filled({"performance_metrics": _metrics(evaluation)}),
        "considerations": _filled(considerations),
    }
    return _filled(whole)


def architecture(info: Mapping[str, Any]) -> str:
    """Describe how the model was made: libraries, hyperparameters and settings of the training."""
    parts = []
    for title, key in (
        ("Made with", "made_with"),
        ("Hyperparameters", "hyperparameters"),
        ("Training", "training"),
    ):
        values = info.get(key)
        if values:
            parts.append(
                f"{title}: {', '.join(f'{name} {value}' for name, value in values.items())}."
            )
    return " ".join(parts)


def datasets(info: Mapping[str, Any]) -> list[dict[str, str]]:
    """Describe the training and evaluation data."""
    found = []
    for split, title in (("train", "training"), ("eval", "evaluation")):
        spans = info.get(f"{split}_spans")
        if not spans:
            continue
        words = [f"Spans {name_spans(spans)}."]
        rows = (info.get("rows") or {}).get(split)
        if rows is not None:
            words.append(f"{int(rows):,} rows.")
        versions = info.get("span_versions") or {}
        named = [f"{span} {versions[span]}" for span in spans if span in versions]
        if named:
            words.append(f"Versions: {', '.join(named)}.")
        found.append({"name": f"{title} data", "description": " ".join(words)})
    return found


def _metrics(evaluation: EvaluationSummary) -> list[dict[str, Any]]:
    return [
        {
            "type": name,
            "value": value,
            **({"slice": slice_metrics.name} if slice_metrics.slice else {}),
        }
        for slice_metrics in evaluation.slices
        for name, value in slice_metrics.metrics.items()
    ]


def _licenses(card: Mapping[str, Any]) -> list[dict[str, str]]:
    if card.get("license"):
        return [{"identifier": card["license"]}]
    return [{"custom_text": card["license_text"]}] if card.get("license_text") else []


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
