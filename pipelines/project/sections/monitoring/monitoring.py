"""The section `monitoring`: what serves is judged, on a schedule."""

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import Field

from ..data import DataConfig
from ..schedule import ScheduleConfig
from ..section import Section
from .concept_drift import ConceptDriftConfig
from .data import DataChecksConfig
from .drift import DriftConfig
from .estimated_quality import EstimatedQualityConfig
from .labels import LabelsConfig
from .predictions import PredictionLogsConfig
from .realised_quality import RealisedQualityConfig
from .signals import SignalsConfig
from .window import WindowConfig

_LOCATED = {"predictions": "uri", "labels": "pattern"}


class MonitoringConfig(Section):
    """Monitoring of what serves, the pipeline `monitoring`."""

    predictions: PredictionLogsConfig = Field(default_factory=PredictionLogsConfig)
    labels: LabelsConfig = Field(default_factory=LabelsConfig)
    window: WindowConfig = Field(default_factory=WindowConfig)
    data: DataChecksConfig = Field(default_factory=DataChecksConfig)
    signals: SignalsConfig = Field(default_factory=SignalsConfig)
    drift: DriftConfig = Field(default_factory=DriftConfig)
    estimated_quality: EstimatedQualityConfig = Field(default_factory=EstimatedQualityConfig)
    realised_quality: RealisedQualityConfig = Field(default_factory=RealisedQualityConfig)
    concept_drift: ConceptDriftConfig = Field(default_factory=ConceptDriftConfig)
    schedule: ScheduleConfig | None = Field(
        None,
        description="When the pipeline `monitoring` runs, such as `{cron: '15 * * * *'}`; never if null.",
    )

    def located(self, absolute: Callable[[str], str]) -> "MonitoringConfig":
        """Return the section with its paths made absolute.

        Args:
            absolute: Makes a path absolute, and leaves a URI as it is.
        """
        changed: dict[str, Any] = {}
        for name, key in _LOCATED.items():
            part = getattr(self, name)
            if place := getattr(part, key):
                changed[name] = part.model_copy(update={key: absolute(place)})
        return self.model_copy(update=changed)

    def sources(self) -> Iterator[tuple[tuple[str, str], str | None]]:
        """List the settings that say where something is read: their place in the section, and their value."""
        for name, key in _LOCATED.items():
            yield (name, key), getattr(getattr(self, name), key)

    def output(self, data: DataConfig) -> str:
        """Return which output is judged, of models with several; empty of others, or if none is named.

        Args:
            data: The section `data`, which names the outputs.
        """
        return (self.predictions.output or "") if data.outputs else ""

    def label(self, data: DataConfig) -> str:
        """Return the column of the label that quality is judged by; empty if none can be.

        Args:
            data: The section `data`, which names the labels.
        """
        return data.label_of(self.output(data))

    def joins_labels(self, data: DataConfig) -> bool:
        """Return whether there are labels to join: files, or spans whose rows have a key.

        Args:
            data: The section `data`.
        """
        return bool(self.label(data) and (self.labels.pattern or data.key))

    def values(self) -> dict[str, Any]:
        """Return the section as tasks get it: JSON values with every default filled in."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"schedule"})
