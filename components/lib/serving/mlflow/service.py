"""MLflow as a service: versions by their tags, and the aliases `champion` and `challenger`.

MLflow's API has no precondition; the lock of deployments is what keeps two writers apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...uris import is_local
from ..interface import Plan, Served, ServedModel, ServiceError
from .rest import EXISTS, MISSING, MLflowError, Rest
from .tracking import PREFIX, Tracking, as_pairs, quoted

CHAMPION, CHALLENGER = "champion", "challenger"
VERSION, DIGEST = f"{PREFIX}.version", f"{PREFIX}.digest"
_INVALID = "INVALID_PARAMETER_VALUE"


@dataclass(frozen=True)
class MLflowSettings:
    """The section `serving.deploy.mlflow`; see there.

    Attributes:
        tracking_uri: Address of the server.
        pipeline: Name of the pipeline.
        model: Name of the registered model.
        experiment: Name of the experiment.
        slices: Whether metrics of slices are logged, too.
    """

    tracking_uri: str
    pipeline: str
    model: str
    experiment: str
    slices: bool = True

    @classmethod
    def of(cls, settings: Mapping[str, Any], name: str) -> "MLflowSettings":
        """Fill in what the section leaves out.

        Args:
            settings: The section.
            name: Name of the pipeline.
        """
        return cls(
            settings["tracking_uri"],
            name,
            settings.get("model") or name,
            settings.get("experiment") or name,
            bool(settings.get("slices", True)),
        )


@dataclass(frozen=True)
class _Registered:
    """The registered model: MLflow's version by alias, and the registry's version by MLflow's."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)


class MLflow:
    """The registered model of a pipeline."""

    def __init__(self, settings: MLflowSettings) -> None:
        """Take the settings; nothing is sent."""
        self._settings = settings
        self._rest = Rest(settings.tracking_uri)
        self._tracking = Tracking(self._rest, settings.experiment, settings.slices)

    def apply(self, plan: Plan) -> Served:
        """Register the versions, then move the aliases; see `ServingService.apply`."""
        wanted: dict[str, str] = {}
        for alias, model in ((CHAMPION, plan.stable), (CHALLENGER, plan.canary)):
            if model:
                wanted[alias] = self._version(model)
        there = self._read().aliases
        name = self._settings.model
        for alias, version in wanted.items():
            if there.get(alias) != version:
                self._rest.post("registered-models/alias", name=name, alias=alias, version=version)
        for alias in (CHAMPION, CHALLENGER):
            if alias in there and alias not in wanted:
                self._rest.delete("registered-models/alias", name=name, alias=alias)
        return self.status()

    def status(self) -> Served:
        """Read the aliases; see `ServingService.status`."""
        there = self._read()
        labelled = {
            alias: there.aliases[alias]
            for alias in (CHAMPION, CHALLENGER)
            if alias in there.aliases
        }
        ours = {a: there.numbers[v] for a, v in labelled.items() if v in there.numbers}
        foreign = tuple(
            f"version {version} of '{self._settings.model}' in MLflow is the {alias}"
            for alias, version in labelled.items()
            if alias not in ours
        )
        return Served(
            {ours[CHAMPION]: 100} if CHAMPION in ours else {},
            tuple(sorted(set(ours.values()))),
            foreign,
            address=f"models:/{self._settings.model}@{CHAMPION}" if CHAMPION in ours else "",
            splits=False,
        )

    def _read(self) -> _Registered:
        try:
            found = self._rest.get("registered-models/get", name=self._settings.model)
        except MLflowError as error:
            if error.code == MISSING:
                return _Registered()
            raise
        listed = found["registered_model"].get("aliases") or ()
        aliases = {one["alias"]: str(one["version"]) for one in listed}
        numbers = {}
        for version in sorted({aliases[a] for a in (CHAMPION, CHALLENGER) if a in aliases}):
            about = self._rest.get(
                "model-versions/get", name=self._settings.model, version=version
            )["model_version"]
            tags = _tags(about)
            if tags.get(VERSION, "").isdecimal():
                numbers[version] = int(tags[VERSION])
        return _Registered(aliases, numbers)

    def _version(self, model: ServedModel) -> str:
        """Return MLflow's version of a model, which is registered unless it is there."""
        name = self._settings.model
        own = {VERSION: str(model.version), DIGEST: model.digest}
        try:
            self._rest.post("registered-models/create", name=name)
        except MLflowError as error:
            if error.code != EXISTS:
                raise
        if known := self._find(own):
            return known
        run = self._tracking.log(model, {**own, f"{PREFIX}.pipeline": self._settings.pipeline})
        more = {
            f"{PREFIX}.pipeline": self._settings.pipeline,
            f"{PREFIX}.run": str(model.info.get("run") or ""),
            f"{PREFIX}.span": str(model.info.get("span") or ""),
        }
        source = f"file://{model.uri}" if is_local(model.uri) else model.uri
        try:
            made = self._rest.post(
                "model-versions/create",
                name=name,
                source=source,
                run_id=run,
                tags=as_pairs({**own, **{key: value for key, value in more.items() if value}}),
            )
        except MLflowError as error:
            if error.code == _INVALID and is_local(model.uri):
                raise ServiceError(
                    f"MLflow at {self._settings.tracking_uri} takes no model of a local store ('{source}'). Set store "
                    "to a bucket."
                ) from error
            raise
        return str(made["model_version"]["version"])

    def _find(self, own: Mapping[str, str]) -> str:
        """Find a version by its tags; empty if there is none. Of several the first counts."""
        wanted = " and ".join(
            [
                f"name = {quoted(self._settings.model)}",
                *(f"tags.`{key}` = {quoted(value)}" for key, value in own.items()),
            ]
        )
        found = self._rest.pages("model-versions/search", "model_versions", filter=wanted)
        matching = (one for one in found if own.items() <= _tags(one).items())
        return min((str(one["version"]) for one in matching), key=int, default="")


def _tags(version: Mapping[str, Any]) -> dict[str, str]:
    return {one["key"]: one.get("value", "") for one in version.get("tags") or ()}
