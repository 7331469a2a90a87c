"""The Model Registry: one parent model, a version for each of ours, found again by an alias that only it can have."""

from collections.abc import Mapping
from typing import Any

from ...vertex_api import load_module
from ..interface import ServedModel, ServiceError
from .api import VertexApi
from .settings import VertexSettings, label_value

_MOUNT = "/gcs/"
_DESCRIPTION = 500


class VertexModels:
    """Uploads versions and moves aliases.

    Args:
        api: Calls the service.
        settings: Where the model is, and how it is served.
    """

    def __init__(self, api: VertexApi, settings: VertexSettings) -> None:
        self._api = api
        self._settings = settings

    def upload(self, model: ServedModel) -> Any:
        """Return the version that has a model, uploaded if it is not there yet.

        Args:
            model: The model.

        Returns:
            The service's message `Model`.

        Raises:
            ServiceError: If the service refuses or does not answer.
        """
        name = self._settings.model_name
        what = f"version {model.version} in {name}"
        artifact = artifact_uri(model)

        def look() -> Any:
            return self._api.look_past_running(what, lambda: name, lambda: self._find(model))

        def act() -> None:
            types = load_module("types.model_service")
            exists = self._at("") is not None
            request = types.UploadModelRequest(
                parent=self._settings.parent,
                model=self._message(model, artifact),
                **({"parent_model": name} if exists else {"model_id": self._settings.model}),
            )
            self._api.change(
                f"upload of {what}",
                lambda options: self._api.models.upload_model(request, **options()),
            )

        return self._api.settle(what, look, act)

    def name(self, version: Any) -> str:
        """Return the resource name of a version that `upload` returned."""
        return f"{self._settings.model_name}@{version.version_id}"

    def point(self, alias: str, version: Any) -> None:
        """Have an alias name a version; None: no version.

        Args:
            alias: The alias.
            version: What `upload` returned.

        Raises:
            ServiceError: If the service refuses or does not answer.
        """
        held = self._at(alias)
        if version is None and held is None:
            return
        if version is not None and held is not None and held.version_id == version.version_id:
            return
        holder, change = (version, alias) if version is not None else (held, f"-{alias}")
        request = {"name": self.name(holder), "version_aliases": [change]}
        self._api.read(
            f"alias {alias} of {self.name(holder)}",
            lambda options: self._api.models.merge_version_aliases(request, **options()),
        )

    def _find(self, model: ServedModel) -> Any:
        return self._at(self._own_alias(model))

    def _at(self, alias: str) -> Any:
        name = f"{self._settings.model_name}{'@' if alias else ''}{alias}"
        return self._api.find(
            name, lambda options: self._api.models.get_model(name=name, **options())
        )

    def _own_alias(self, model: ServedModel) -> str:
        return f"v{model.version}-{self._settings.build(model)}"

    def _message(self, model: ServedModel, artifact: str) -> Any:
        settings, types = self._settings, load_module("types.model")
        container = types.ModelContainerSpec(
            image_uri=settings.image,
            predict_route=settings.predict_route,
            health_route=settings.health_route,
            env=[{"name": key, "value": value} for key, value in sorted(settings.env.items())],
        )
        if settings.port:
            container.ports = [{"container_port": settings.port}]
        message = types.Model(
            display_name=settings.model,
            artifact_uri=artifact,
            container_spec=container,
            version_aliases=[f"v{model.version}", self._own_alias(model)],
            version_description=_describe(model),
            labels={
                **settings.own_labels,
                "retrainer-version": str(model.version),
                "retrainer-digest": model.digest.rpartition(":")[2][:16],
                "retrainer-run": label_value(str(model.info.get("run", ""))),
            },
        )
        if settings.encryption_key:
            message.encryption_spec = {"kms_key_name": settings.encryption_key}
        return message


def artifact_uri(model: ServedModel) -> str:
    """Return where Vertex AI reads a model.

    Raises:
        ServiceError: If that is not on Cloud Storage.
    """
    uri = model.uri
    if uri.startswith(_MOUNT):
        uri = f"gs://{uri[len(_MOUNT) :]}"
    if not uri.startswith("gs://"):
        raise ServiceError(
            f"version {model.version} is at {model.uri}, and Vertex AI reads models from Cloud Storage only: move the "
            "store to gs://, or remove serving.deploy.vertex."
        )
    return uri


def _describe(model: ServedModel) -> str:
    info: Mapping[str, Any] = model.info
    parts = [f"Version {model.version} of retrainer's registry", f"digest {model.digest}"]
    for key in ("run", "span"):
        if info.get(key):
            parts.append(f"{key} {info[key]}")
    return ", ".join(parts)[:_DESCRIPTION]
