"""The section of retrain.yaml on Beam's engines: which components run on one, and with which options."""

from typing import Any, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from ....components.lib.engine.runners import IN_PROCESS, runner_class
from ..formats.image_names import Image
from .section import Section, with_text_keys

BEAM_COMPONENTS = ("compute_statistics", "transform_features", "evaluate_model", "predict_batch")
"""Components that can run on Beam."""

BeamComponent = Literal[
    "compute_statistics", "transform_features", "evaluate_model", "predict_batch"
]


def _default_components() -> list[BeamComponent]:
    # Not evaluate_model: TFMA on Beam was slower than in process at every size that was measured.
    return ["compute_statistics", "transform_features", "predict_batch"]


class ComponentEngine(NamedTuple):
    """What a component runs on.

    Attributes:
        runner: Class of Beam's runner; empty: in the task's process.
        options: Beam's options by name.
        worker_image: Image of its workers; null: that of the task.
        place: Keys of the section that named the runner.
    """

    runner: str
    options: dict[str, Any]
    worker_image: str | None
    place: tuple[str, ...] = ("engine",)


class EngineOverrideConfig(Section):
    """What one component has of its own."""

    runner: str | None = Field(
        None,
        description="Runner of this component; the section's if null. With another runner, the section's options do "
        "not apply.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of Beam's, over the section's; a null takes one away.",
    )
    worker_image: Image | None = Field(
        None, description="Container image of this component's workers; the section's if null."
    )

    @field_validator("options", mode="before")
    @classmethod
    def _text_keys(cls, value: Any) -> Any:
        return with_text_keys(value)


class EngineConfig(Section):
    """Where the work on data runs: in each task's process, or on an engine by Apache Beam."""

    runner: str = Field(
        IN_PROCESS,
        description="`in_process`, `dataflow`, `flink`, `spark`, `prism`, `portable` (any engine with a Beam job "
        "service), `direct` (Beam in the task's process), or a class of Beam's such as `FlinkRunner`.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Beam's pipeline options by Beam's own names, such as `max_num_workers: 20`.",
    )
    worker_image: Image | None = Field(
        None,
        description="Container image of the engine's workers, with retrainer in it; the task's own if null.",
    )
    components: list[BeamComponent] = Field(
        default_factory=_default_components,
        description="Components that run on the engine: any of `compute_statistics`, `transform_features`, "
        "`predict_batch` and `evaluate_model`, which is slower there.",
    )
    overrides: dict[BeamComponent, EngineOverrideConfig] = Field(
        default_factory=dict,
        description="Runner, options or image of single components, by the component's name.",
    )

    @field_validator("options", mode="before")
    @classmethod
    def _text_keys(cls, value: Any) -> Any:
        return with_text_keys(value)

    @model_validator(mode="after")
    def _an_override_has_its_component(self) -> "EngineConfig":
        if "components" in self.model_fields_set and runner_class(self.runner):
            for name in self.overrides:
                if name not in self.components:
                    raise ValueError(
                        f"overrides names {name}, which is not in components; add it there, or leave it out"
                    )
        return self

    def of(self, component: str) -> ComponentEngine:
        """Return what a component runs on, with what is its own.

        Args:
            component: Its name; any component.
        """
        own = self.overrides.get(component)  # type: ignore[call-overload]
        base = runner_class(self.runner) or ""
        if own is None or own.runner is None:
            if component not in (*self.components, *self.overrides) or not base:
                return ComponentEngine("", {}, None)
            return self._merged(base, self.options, component, ("engine",))
        runner = runner_class(own.runner) or ""
        options = self.options if runner == base else {}
        return self._merged(runner, options, component, ("engine", "overrides", component))

    def _merged(
        self, runner: str, options: dict[str, Any], component: str, place: tuple[str, ...]
    ) -> ComponentEngine:
        own = self.overrides.get(component)  # type: ignore[call-overload]
        merged = {**options, **(own.options if own else {})}
        kept = {name: value for name, value in merged.items() if value is not None}
        image = (own.worker_image if own else None) or self.worker_image
        return ComponentEngine(runner, kept, image, place)
