"""TensorFlow Serving as a service: versions in folders, and labels in the configuration that servers poll."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from ...uris import join, read_text, write_atomic
from ..interface import Plan, Served, ServiceError
from .config_text import ConfigTextError, ModelEntry, read_entry, with_entry, without_entry
from .server import AVAILABLE, read_states
from .versions import VersionFolders

STABLE, CANARY = "stable", "canary"
_POLL_SECONDS = 1.0
_MOST_REWRITES = 5


@dataclass(frozen=True)
class TFServingSettings:
    """The section `serving.deploy.tf_serving`; see there.

    Attributes:
        uri: Folder that holds the folders of models.
        model: The model's name.
        config: The configuration file.
        base_path: The model's folder as the servers see it.
        previous: How many versions before the stable one stay loaded.
        keep: How many folders of other versions stay; None: all.
        address: Address of a server's REST API; empty for none.
        wait_seconds: How long to wait until that server has loaded the versions.
    """

    uri: str
    model: str
    config: str
    base_path: str
    previous: int = 1
    keep: int | None = None
    address: str = ""
    wait_seconds: float = 300.0

    @classmethod
    def of(cls, settings: Mapping[str, Any], name: str) -> "TFServingSettings":
        """Fill in what the section leaves out.

        Args:
            settings: The section.
            name: Name of the pipeline, which is the model's if the section names none.
        """
        model = settings.get("model") or name
        uri = settings["uri"]
        derived = {
            "model": model,
            "config": settings.get("config") or join(uri, "models.config"),
            "base_path": settings.get("base_path") or join(uri, model),
        }
        known = {attribute.name for attribute in fields(cls)}
        given = {key: value for key, value in settings.items() if key in known}
        return cls(**{**given, **derived})


@dataclass(frozen=True)
class TFServing:
    """The model in the configuration of servers.

    Attributes:
        settings: The settings.
    """

    settings: TFServingSettings

    def apply(self, plan: Plan) -> Served:
        """Copy the versions, then name them in the configuration; see `ServingService.apply`."""
        with self._naming_the_folder("written"):
            return self._apply(plan)

    def _apply(self, plan: Plan) -> Served:
        folders = VersionFolders(join(self.settings.uri, self.settings.model))
        models = [planned for planned in (plan.stable, plan.canary) if planned]
        for model in models:
            folders.put(model)
        entry = self._entry(plan)
        before = self._rewrite(entry)
        if entry and self.settings.address:
            try:
                self._wait(entry)
            except ServiceError:
                # What served before keeps serving; somebody may have written other models meanwhile.
                self._rewrite(before)
                raise
        if self.settings.keep is not None:
            folders.remove_but(entry.versions if entry else (), self.settings.keep)
        return self.status()

    def status(self) -> Served:
        """Read the configuration, and ask the server if its address is known; see `ServingService.status`."""
        with self._naming_the_folder("read"):
            entry = self._read()[1]
        if entry is None:
            return Served(splits=False)
        stable = entry.labels.get(STABLE)
        loaded, notes = entry.versions, []
        if self.settings.address:
            states = read_states(self.settings.address, self.settings.model)
            loaded = tuple(version for version, state in states.items() if state.state == AVAILABLE)
            notes = [
                f"version {version} is {one.state}{f': {one.error}' if one.error else ''}"
                for version, one in sorted(states.items())
                if one.state != AVAILABLE and version in entry.versions
            ]
        traffic = {stable: 100} if stable in loaded and stable is not None else {}
        return Served(
            traffic,
            tuple(sorted(loaded)),
            address=self.settings.address,
            notes=tuple(notes),
            splits=False,
        )

    @contextmanager
    def _naming_the_folder(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = (
                f"{error.strerror}: '{error.filename}'"
                if error.strerror and error.filename
                else str(error) or type(error).__name__
            )
            raise ServiceError(
                f"'{self.settings.uri}' can't be {done} ({reason}). Check serving.deploy.tf_serving.uri, and that this "
                "account may read and write there."
            ) from error

    def _entry(self, plan: Plan) -> ModelEntry | None:
        """Return what the configuration should say; None if no version serves."""
        labels = {
            label: one.version
            for label, one in ((STABLE, plan.stable), (CANARY, plan.canary))
            if one
        }
        if not labels:
            return None
        stable = labels.get(STABLE)
        now = self._read()[1]
        # A label moves only to a version that is loaded, so the one before it stays until then; requests without a
        # version or label go to the highest number, so none above the stable one stays.
        earlier = [v for v in (now.versions if now else ()) if stable is not None and v < stable]
        kept = sorted(earlier)[-self.settings.previous :] if self.settings.previous else []
        versions = tuple(sorted({*labels.values(), *kept}))
        return ModelEntry(self.settings.model, self.settings.base_path, versions, labels)

    def _rewrite(self, entry: ModelEntry | None) -> ModelEntry | None:
        """Put the entry into the file; return the one before it."""
        first = self._read()[1]
        name = self.settings.model
        for _ in range(_MOST_REWRITES):
            text, there = self._read()
            if there == entry:
                return first
            changed = with_entry(text, entry) if entry else without_entry(text, name)
            # Another project may have written its model since.
            if self._text() == text:
                write_atomic(self.settings.config, changed)
        if self._read()[1] == entry:
            return first
        raise ServiceError(
            f"others write to '{self.settings.config}' all the time. Deploy again, or give each project a file of its "
            "own (serving.deploy.tf_serving.config).",
            transient=True,
        )

    def _read(self) -> tuple[str, ModelEntry | None]:
        text = self._text()
        try:
            return text, read_entry(text, self.settings.model)
        except ConfigTextError as error:
            raise ServiceError(
                f"'{self.settings.config}' can't be read: {error}. Fix it, or name another file as "
                "serving.deploy.tf_serving.config."
            ) from error

    def _text(self) -> str:
        try:
            return read_text(self.settings.config)
        except FileNotFoundError:
            return ""

    def _wait(self, entry: ModelEntry) -> None:
        """Wait until the server has loaded every version that has a label."""
        deadline = time.monotonic() + self.settings.wait_seconds
        while True:
            states = read_states(self.settings.address, self.settings.model)
            for version in sorted(set(entry.labels.values())):
                if version in states and states[version].error:
                    raise ServiceError(
                        f"TensorFlow Serving at {self.settings.address} can't load version {version}: "
                        f"{states[version].error.rstrip('.')}. The configuration is as it was before."
                    )
            missing = [
                version
                for version in sorted(set(entry.labels.values()))
                if version not in states or states[version].state != AVAILABLE
            ]
            if not missing:
                return
            if time.monotonic() >= deadline:
                raise ServiceError(
                    f"TensorFlow Serving at {self.settings.address} has not loaded version {missing[0]} within "
                    f"{self.settings.wait_seconds:g} seconds. The configuration is as it was before. Check that the "
                    f"server polls '{self.settings.config}' (--model_config_file_poll_wait_seconds).",
                    transient=True,
                )
            time.sleep(_POLL_SECONDS)
