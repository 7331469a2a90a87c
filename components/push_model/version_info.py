"""What the registry keeps of a version besides its model."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..lib.moments import now_text
from ..lib.registry.evaluation_summary import EVALUATION_FILE, EvaluationSummary
from ..lib.registry.model_versions import CARD_FILE, CARD_PAGE, ModelVersion
from ..lib.schema_file import schema_versions
from ..lib.store import Store
from ..lib.verdicts import Blessing
from .model_card import model_card
from .model_card_page import render_card

SCHEMA_COPY = "schema.pbtxt"


def version_info(judged: Blessing, info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a version: its data by the blessing, and its training by train_model.

    Args:
        judged: The blessing.
        info: `run`, `job`, `span` and `training` as the task was given them.

    Returns:
        Metadata as JSON values; what is unknown is left out.
    """
    given = {name: value for name, value in info.items() if name != "training"}
    training = info.get("training")
    training = training if isinstance(training, Mapping) else {}
    known = {
        "pushed_at": now_text(),
        "span_versions": dict(judged.span_versions),
        "rows": dict(judged.rows),
        "data_digest": judged.data_digest,
        "code_digest": training.get("code_digest"),
        "schema": {"digest": training["schema"]} if training.get("schema") else None,
        "training": training.get("settings"),
        "made_with": training.get("made_with"),
    }
    kept = {name: value for name, value in known.items() if value}
    if "hyperparameters" in training:
        kept["hyperparameters"] = training["hyperparameters"]
    return {
        "train_spans": list(judged.train_spans),
        "eval_spans": list(judged.eval_spans),
        **kept,
        **given,
    }


def version_files(
    store: str, version: ModelVersion, blessing: str, card: Mapping[str, Any]
) -> dict[str, str]:
    """Return the files beside a version's model, text by name, and add the schema's number to its metadata.

    Args:
        store: URI of the store.
        version: The version.
        blessing: The blessing artifact.
        card: What people say of the model; see `model_card`.
    """
    evaluation = EvaluationSummary.read(blessing)
    files = {EVALUATION_FILE: _json(evaluation.to_json())}
    schema = version.info.get("schema")
    if schema:
        for number, text in schema_versions(
            Store(store).schema_uri, Store(store).schema_history_uri
        ):
            if hashlib.sha256(text.encode()).hexdigest() == schema["digest"]:
                schema["number"] = number
                files[SCHEMA_COPY] = text
                break
    files[CARD_FILE] = _json(model_card(version, evaluation, card))
    files[CARD_PAGE] = render_card(version, evaluation, card, store)
    return files


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
