"""Vertex AI's Model Registry on loopback: models with versions, aliases, labels, evaluations and their slices.

Every request is read into the service's own messages, and what they do not have is refused. Their words are held
(aiplatform_v1 types.model, model_service, model_evaluation_slice): IDs, the form of aliases, exactly one `default`, no
`@version` in `parent_model`, at most 50 slices a call (kubeflow/pipelines, container/_implementation/model_evaluation/
import_model_evaluation.py). By our reading alone: which error each gives, that an alias moves from the version that had
it, that labels of versions stay their own, and that a version with deployments can't be deleted.
"""

import itertools
import re
from typing import Any

from aiohttp import web
from google.cloud.aiplatform_v1.types import (
    BatchImportModelEvaluationSlicesRequest,
    BatchImportModelEvaluationSlicesResponse,
    ImportModelEvaluationRequest,
    ListModelEvaluationSlicesResponse,
    ListModelEvaluationsResponse,
    ListModelVersionsResponse,
    MergeVersionAliasesRequest,
    Model,
    UploadModelRequest,
    UploadModelResponse,
)
from servers.vertex import PARENT, ROOT, _answer, _parse
from servers.vertex_operations import Operations
from servers.vertex_rules import RefusalError, check_labels

ALIAS = r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]"
MODEL_ID = r"[a-z_][a-z0-9_-]{0,62}"
SCHEMAS = {
    f"gs://google-cloud-aiplatform/schema/modelevaluation/{kind}_metrics_1.0.0.yaml": fields
    for kind, fields in {
        "classification": {"auRoc", "auPrc", "logLoss", "confidenceMetrics", "confusionMatrix"},
        "regression": {
            "rootMeanSquaredError",
            "meanAbsoluteError",
            "meanAbsolutePercentageError",
            "rootMeanSquaredLogError",
            "rSquared",
        },
    }.items()
}
MAX_SLICES = 50


class ModelRegistry:
    """Keeps versions by model.

    Attributes:
        versions: Messages `Model` by model ID and version ID.
        evaluations: Messages `ModelEvaluation` by the resource name of their version.
        slices: Messages `ModelEvaluationSlice` by the resource name of their evaluation.
    """

    def __init__(self, operations: Operations) -> None:
        self.versions: dict[str, dict[str, Any]] = {}
        self.evaluations: dict[str, list[Any]] = {}
        self.slices: dict[str, list[Any]] = {}
        self._operations = operations
        self._ids = itertools.count(5001)

    def routes(self) -> list[tuple[str, str, set[str], Any]]:
        model = f"{ROOT}/models/{{model:[^/:]+}}"
        evaluations = f"{model}/evaluations"
        page = {"pageSize", "pageToken", "filter", "readMask"}
        return [
            ("POST", f"{ROOT}/models:upload", set(), self._upload),
            ("GET", model, set(), self._get),
            ("GET", f"{model}:listVersions", page | {"orderBy"}, self._list_versions),
            ("POST", f"{model}:mergeVersionAliases", set(), self._merge_aliases),
            ("POST", f"{evaluations}:import", set(), self._import_evaluation),
            ("GET", evaluations, page, self._list_evaluations),
            (
                "POST",
                f"{evaluations}/{{evaluation}}/slices:batchImport",
                set(),
                self._import_slices,
            ),
            ("GET", f"{evaluations}/{{evaluation}}/slices", page, self._list_slices),
        ]

    def find(self, reference: str) -> Any:
        """Return the version that `<model>`, `<model>@<version>` or `<model>@<alias>` names; None if there is none."""
        model, _, version = reference.partition("@")
        versions = self.versions.get(model, {})
        wanted = version or "default"
        for number, one in versions.items():
            if number == wanted or wanted in one.version_aliases:
                return one
        return None

    def remove(self, reference: str) -> None:
        """Delete a version as somebody else would."""
        found = self.find(reference)
        del self.versions[reference.partition("@")[0]][found.version_id]

    def aliases(self, model: str) -> dict[str, str]:
        """Return the version by alias."""
        return {
            alias: number
            for number, one in self.versions.get(model, {}).items()
            for alias in one.version_aliases
        }

    def _upload(self, request: web.Request, body: bytes) -> web.Response:
        asked = _parse(UploadModelRequest, body)
        model, parent = asked.model, asked.parent_model
        if not model.display_name or len(model.display_name) > 128:
            raise RefusalError(400, "display_name must have 1 to 128 characters.")
        if not model.artifact_uri.startswith("gs://"):
            raise RefusalError(
                400, f"artifact_uri must be a Cloud Storage path: {model.artifact_uri}."
            )
        if not model.container_spec.image_uri:
            raise RefusalError(400, "container_spec.image_uri is required.")
        check_labels(model.labels)
        for alias in model.version_aliases:
            _check_alias(alias)
        if parent:
            match = re.fullmatch(rf"{re.escape(PARENT)}/models/([^/@]+)", parent)
            if not match:
                raise RefusalError(
                    400, f"parent_model must name a model without a version: {parent}."
                )
            model_id = match[1]
            if model_id not in self.versions:
                raise RefusalError(404, f"The Model {parent} does not exist.")
            if asked.model_id:
                raise RefusalError(400, "model_id and parent_model are both set.")
        else:
            model_id = asked.model_id or str(next(self._ids))
            if not re.fullmatch(MODEL_ID, model_id):
                raise RefusalError(400, f"model_id must match {MODEL_ID}: {model_id}.")
            if model_id in self.versions:
                raise RefusalError(409, f"The Model {model_id} already exists.")
            # Reserved from now on, though it is seen only when the operation ends.
            self.versions[model_id] = {}
        name = f"{PARENT}/models/{model_id}"

        def finish() -> Any:
            versions = self.versions[model_id]
            number = str(max((int(one) for one in versions), default=0) + 1)
            kept = Model.pb(Model())
            kept.CopyFrom(model)
            kept.name, kept.version_id = name, number
            kept.etag = f"m{next(self._ids)}"
            del kept.version_aliases[:]
            versions[number] = kept
            wanted = [*model.version_aliases, *([] if len(versions) > 1 else ["default"])]
            for alias in wanted:
                self._move(model_id, alias, number)
            return UploadModelResponse(model=name, model_version_id=number)

        return _answer(self._operations.start(name, "uploadModel", finish))

    def _get(self, request: web.Request, body: bytes) -> web.Response:
        return _answer(self._version(request))

    def _list_versions(self, request: web.Request, body: bytes) -> web.Response:
        answer = ListModelVersionsResponse.pb(ListModelVersionsResponse())
        for one in self.versions.get(request.match_info["model"], {}).values():
            answer.models.add().CopyFrom(one)
        return _answer(answer)

    def _merge_aliases(self, request: web.Request, body: bytes) -> web.Response:
        asked, found = _parse(MergeVersionAliasesRequest, body), self._version(request)
        model, _, version = request.match_info["model"].partition("@")
        if version != found.version_id:
            raise RefusalError(400, "The version ID must be explicitly included.")
        if not asked.version_aliases:
            raise RefusalError(400, "version_aliases is required.")
        for alias in asked.version_aliases:
            removed = alias.startswith("-")
            bare = alias.removeprefix("-")
            _check_alias(bare)
            if removed and bare == "default":
                raise RefusalError(400, "There must be exactly one default version.")
            if removed and bare in found.version_aliases:
                found.version_aliases.remove(bare)
            elif not removed:
                self._move(model, bare, found.version_id)
        return _answer(found)

    def _import_evaluation(self, request: web.Request, body: bytes) -> web.Response:
        asked = _parse(ImportModelEvaluationRequest, body)
        version, evaluation = self._version(request), asked.model_evaluation
        _check_metrics(evaluation)
        name = f"{version.name}@{version.version_id}"
        evaluation.name = f"{version.name}/evaluations/{next(self._ids)}"
        self.evaluations.setdefault(name, []).append(evaluation)
        self.slices[evaluation.name] = []
        return _answer(evaluation)

    def _list_evaluations(self, request: web.Request, body: bytes) -> web.Response:
        version = self._version(request)
        answer = ListModelEvaluationsResponse.pb(ListModelEvaluationsResponse())
        for one in self.evaluations.get(f"{version.name}@{version.version_id}", []):
            answer.model_evaluations.add().CopyFrom(one)
        return _answer(answer)

    def _import_slices(self, request: web.Request, body: bytes) -> web.Response:
        asked = _parse(BatchImportModelEvaluationSlicesRequest, body)
        kept = self._slices(request)
        if len(asked.model_evaluation_slices) > MAX_SLICES:
            raise RefusalError(400, f"At most {MAX_SLICES} slices can be imported in one request.")
        answer = BatchImportModelEvaluationSlicesResponse.pb(
            BatchImportModelEvaluationSlicesResponse()
        )
        for one in asked.model_evaluation_slices:
            _check_metrics(one)
            if one.slice_.dimension not in ("slice", "annotationSpec"):
                raise RefusalError(400, f"Invalid dimension: {one.slice_.dimension}.")
        for one in asked.model_evaluation_slices:
            one.name = f"{request.match_info['evaluation']}/slices/{next(self._ids)}"
            kept.append(one)
            answer.imported_model_evaluation_slices.append(one.name)
        return _answer(answer)

    def _list_slices(self, request: web.Request, body: bytes) -> web.Response:
        answer = ListModelEvaluationSlicesResponse.pb(ListModelEvaluationSlicesResponse())
        for one in self._slices(request):
            answer.model_evaluation_slices.add().CopyFrom(one)
        return _answer(answer)

    def _slices(self, request: web.Request) -> list[Any]:
        for name, kept in self.slices.items():
            if name.rpartition("/")[2] == request.match_info["evaluation"]:
                return kept
        raise RefusalError(404, "The ModelEvaluation does not exist.")

    def _version(self, request: web.Request) -> Any:
        found = self.find(request.match_info["model"])
        if found is None:
            raise RefusalError(404, f"The Model {request.match_info['model']} does not exist.")
        return found

    def _move(self, model: str, alias: str, number: str) -> None:
        for one in self.versions[model].values():
            if alias in one.version_aliases:
                one.version_aliases.remove(alias)
        self.versions[model][number].version_aliases.append(alias)


def _check_alias(alias: str) -> None:
    if not re.fullmatch(ALIAS, alias):
        raise RefusalError(400, f"The version alias {alias} must match {ALIAS}.")


def _check_metrics(message: Any) -> None:
    fields = SCHEMAS.get(message.metrics_schema_uri)
    if fields is None:
        raise RefusalError(400, f"Unknown metrics_schema_uri: {message.metrics_schema_uri}.")
    unknown = set(message.metrics.struct_value.fields) - fields
    if unknown:
        raise RefusalError(400, f"The metrics do not match the schema: {sorted(unknown)}.")
