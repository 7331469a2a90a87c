"""retrain.yaml, the one file that says where the data is, what to predict and what good means."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from ..components.lib.errors import RetrainerError
from .config_errors import describe, untransportable
from .data_config import DataConfig
from .section import Section
from .target_config import TargetsConfig, TasksConfig
from .targets.names import NAME_RULE
from .trigger_config import TriggerConfig, TriggerServiceConfig
from .yaml_places import YamlPlaces, load_yaml

# A trigger's name becomes a label's value and part of a Kubernetes name.
TRIGGER_NAME_RULE = r"^[a-z][a-z0-9-]{0,39}$"
# A pipeline spec may hold a few megabytes in all; a model file of this size is no model file.
MAX_MODULE_BYTES = 64 * 1024


class StatisticsConfig(Section):
    """How statistics are computed."""

    stats_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Arguments of tfdv.StatsOptions by their own names, such as `num_top_values`.",
    )


class ValidationConfig(Section):
    """What data may train a model."""

    schema_uri: str = Field(
        "",
        description="A curated schema.pbtxt. If empty, the first run infers one and freezes it in the store.",
    )
    domains: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="What columns may hold, over what the schema says: `{column: {min: 1, max: 9}}` for numbers, "
        "`{column: {values: [a, b], min_domain_mass: 1}}` for text.",
    )
    drift: dict[str, Any] = Field(
        default_factory=dict,
        description="Thresholds for the newest span against the earlier ones, in TFDV's words: `infinity_norm` for "
        "text, `jensen_shannon_divergence` for numbers, and the same by column under `columns`. What exceeds a "
        "threshold set here is an error. Without one, 0.1 warns (for numbers over quantile bins), and from 0.5 on it "
        "is an error, unless the column usually moves as far.",
    )
    skew: dict[str, Any] = Field(
        default_factory=dict, description="The same for training against evaluation."
    )
    severity: dict[str, Any] = Field(
        default_factory=dict,
        description="`error`, `warning` or `ignore` by kind of finding, and by column under `columns`.",
    )
    min_domain_mass: float = Field(
        0.99,
        ge=0,
        le=1,
        description="The share of a text column's rows that must have values of its domain.",
    )
    min_rows_fraction: float = Field(
        0.2,
        ge=0,
        le=1,
        description="How few rows the newest span may have, as a fraction of the earlier spans' median.",
    )
    max_label_change: float = Field(
        0.15,
        ge=0,
        le=1,
        description="How far a class of the label may move beyond the rates of the earlier spans, as a share of rows.",
    )
    max_rows_factor: float = Field(
        3.0,
        ge=1,
        description="How many times the earlier spans' median the newest span's rows may be.",
    )
    max_label_factor: float = Field(
        3.0,
        ge=1,
        description="How many times as often, or as rarely, as in any earlier span a class of the label may come.",
    )


class ModelConfig(Section):
    """The user's code and how it is trained."""

    module: str = Field(
        "model.py",
        description="File with preprocessing_fn and build_model, relative to retrain.yaml; or a module that is "
        "installed in the image.",
    )
    steps: int = Field(0, ge=0, description="Training batches in all; 0 goes by epochs.")
    epochs: int = Field(1, ge=1, description="Passes over the training split, where steps is 0.")
    batch_size: int = Field(512, ge=1, description="Rows in a training batch.")
    seed: int = Field(1, ge=0, description="Of initial weights and of the order of rows.")
    warm_start: bool = Field(
        False,
        description="Start from the champion's weights; they follow their words and features, and what has no "
        "counterpart starts anew.",
    )
    hyperparameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Handed to build_model; numbers arrive as floating point, as KFP passes them.",
    )
    class_weights: dict[str, float] = Field(
        default_factory=dict,
        description='How much rows of a class count in training, such as {"0": 1, "1": 20}; other classes count 1. '
        "Columns of weights: evaluation.example_weight_key, which weighs training too.",
    )
    balance_classes: bool = Field(
        False,
        description="Weigh classes in training so that each counts as much as any other, in place of class_weights.",
    )
    validation_fraction: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the training rows that are not trained on, but watched after each epoch. They are chosen "
        "by a hash of data.key, or of the whole row if there is no key.",
    )
    early_stopping_patience: int = Field(
        0,
        ge=0,
        description="Epochs without a better value after which training ends, with the weights of the best epoch; 0 "
        "trains to the end.",
    )
    early_stopping_monitor: str = Field(
        "val_loss",
        description="That value: val_loss, or val_ and the name of a metric of the model.",
    )
    early_stopping_mode: Literal["auto", "min", "max"] = Field(
        "auto", description="Whether less (min) or more (max) of it is better; auto asks Keras."
    )

    @field_validator("class_weights", mode="before")
    @classmethod
    def _text_classes(cls, value: Any) -> Any:
        """Make keys text, as in JSON: YAML reads `{0: 1}` with a number as key."""
        return _with_text_keys(value)

    @model_validator(mode="after")
    def _together(self) -> "ModelConfig":
        if self.balance_classes and self.class_weights:
            raise ValueError("balance_classes makes the weights itself; leave out class_weights")
        monitored = self.early_stopping_monitor.startswith("val_")
        if self.early_stopping_patience and monitored and not self.validation_fraction:
            raise ValueError(
                f"early_stopping_monitor {self.early_stopping_monitor} is a value of held-out rows; set "
                "validation_fraction, such as 0.1"
            )
        return self


def _all_rows() -> list[dict[str, Any]]:
    return [{}]


class EvaluationConfig(Section):
    """What good means, in TFMA's own words."""

    metrics_specs: list[dict[str, Any]] = Field(
        description="tfma.MetricsSpec messages: metrics with their thresholds. A model is blessed only if thresholds "
        "are set and met."
    )
    slicing_specs: list[dict[str, Any]] = Field(
        default_factory=_all_rows,
        description="tfma.SlicingSpec messages; {} is all rows, feature_keys makes a slice of each value.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="tfma.Options message.")
    example_weight_key: str = Field(
        "", description="Column that weighs the rows; empty, all rows weigh the same."
    )

    @field_validator("metrics_specs", "slicing_specs", "options", mode="before")
    @classmethod
    def _text_keys(cls, value: Any) -> Any:
        """Make keys text, as in JSON: YAML reads `class_weights: {0: 1.0}` with a number as key."""
        return _with_text_keys(value)


class ServingConfig(Section):
    """How the model is tried before it is handed over."""

    rows: int = Field(
        64, ge=1, description="Rows of the evaluation split that are sent to the model."
    )
    requests: int = Field(50, ge=0, description="Single-row requests that are timed; 0 for none.")
    max_latency_ms: float = Field(
        0.0,
        ge=0,
        description="The most that the 95th percentile of single-row requests may take, in milliseconds; 0 for any.",
    )
    timeout_seconds: float = Field(
        300.0, gt=0, description="How long loading and serving may take in all."
    )


class RetrainConfig(Section):
    """A whole retrain.yaml."""

    name: str = Field(
        pattern=NAME_RULE, description="Name of the pipeline: lower case, digits and dashes."
    )
    store: str = Field(
        "store",
        description="Folder or URI of what outlives a run: ingested spans, schema, models, records. A relative path "
        "starts at retrain.yaml's folder.",
    )
    pipeline_root: str = Field(
        "", description="Folder or URI of the runs' artifacts; pipeline_root in the store if empty."
    )
    image: str = Field("", description="Container image of every task; the release's own if empty.")
    beam_args: list[str] = Field(
        default_factory=list,
        description="Beam's pipeline arguments for statistics, transform and evaluation; empty runs all three in the "
        "task's own process.",
    )
    caching: bool = Field(
        True, description="Whether a task whose inputs did not change is skipped."
    )
    data: DataConfig
    statistics: StatisticsConfig = Field(default_factory=StatisticsConfig)
    validation: ValidationConfig = Field(default_factory=ValidationConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    evaluation: EvaluationConfig
    serving: ServingConfig = Field(default_factory=ServingConfig)
    tasks: TasksConfig = Field(default_factory=TasksConfig)
    targets: TargetsConfig = Field(default_factory=TargetsConfig)
    triggers: dict[str, TriggerConfig] = Field(
        default_factory=dict,
        description="What starts a run, by a name of lower case letters, digits and dashes.",
    )
    trigger_service: TriggerServiceConfig = Field(default_factory=TriggerServiceConfig)

    @field_validator("triggers")
    @classmethod
    def _triggers_have_names(cls, value: dict[str, TriggerConfig]) -> dict[str, TriggerConfig]:
        for name in value:
            if not re.fullmatch(TRIGGER_NAME_RULE, name):
                raise ValueError(
                    f"the trigger '{name}' needs a name of lower case letters, digits and dashes, a letter first, at "
                    "most 40 characters"
                )
        return value

    @field_validator("store", "pipeline_root")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        return value.strip()


class LoadedConfig(Section):
    """A retrain.yaml as a run needs it: paths absolute, the model's source read.

    Attributes:
        config: The configuration, with every local path absolute.
        module: Importable module of the user's code, if it is installed in the image.
        module_source: Text of the user's code, if it is a file.
        path: The file that it was read from.
        text: Its text.
        moving_images: Images that go by a tag, whose digest is not known: services don't cache their tasks.
    """

    config: RetrainConfig
    module: str
    module_source: str
    path: str
    text: str = ""
    moving_images: frozenset[str] = frozenset()

    @property
    def places(self) -> YamlPlaces:
        """Where its settings stand."""
        return YamlPlaces(self.path, self.text)


def load_config(path: str | os.PathLike[str]) -> LoadedConfig:
    """Read a retrain.yaml.

    Args:
        path: The file.

    Returns:
        The configuration, with every local path absolute and the model's source read.

    Raises:
        RetrainerError: If the file is missing or wrong; every mistake is named with its line.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "retrain.yaml"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RetrainerError(
            f"there is no '{file}'. Name yours, or have 'retrainer init {file.parent}' write one to start from."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RetrainerError(f"'{file}' can't be read: {error}.") from error
    config = parse_config(text, str(file))
    home = file.resolve().parent
    data = config.data.model_copy(update={"pattern": _absolute(config.data.pattern, home)})
    if data.hash_key_file:
        data = data.model_copy(update={"hash_key_file": _absolute(data.hash_key_file, home)})
    validation = config.validation
    if validation.schema_uri:
        validation = validation.model_copy(
            update={"schema_uri": _absolute(validation.schema_uri, home)}
        )
    store = _absolute(config.store, home)
    config = config.model_copy(
        update={
            "data": data,
            "validation": validation,
            "store": store,
            "pipeline_root": _absolute(config.pipeline_root, home)
            if config.pipeline_root
            else f"{store.rstrip('/')}/pipeline_root",
        }
    )
    module, source = _read_module(config.model.module, home)
    return LoadedConfig(
        config=config, module=module, module_source=source, path=str(file), text=text
    )


def parse_config(text: str, name: str) -> RetrainConfig:
    """Parse a retrain.yaml's text.

    Args:
        text: YAML.
        name: What to call it in errors.

    Returns:
        The configuration as it stands in the text.

    Raises:
        RetrainerError: If it is not YAML, or wrong; every mistake is named with its line.
    """
    try:
        content = load_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise RetrainerError(
            f"{place}: this is not YAML: {getattr(error, 'problem', error)}."
        ) from error
    if not isinstance(content, dict):
        raise RetrainerError(
            f"{name}: this must be a mapping with the keys {', '.join(_required(RetrainConfig))}."
        )
    places = YamlPlaces(name, text)
    try:
        config = RetrainConfig.model_validate(content)
    except ValidationError as error:
        problems = [describe(problem, places, RetrainConfig) for problem in error.errors()]
        raise RetrainerError("\n".join(problems)) from error
    if problems := untransportable(content, places):
        raise RetrainerError("\n".join(problems))
    return config


def _required(model: type[BaseModel]) -> Iterator[str]:
    return (name for name, info in model.model_fields.items() if info.is_required())


def _absolute(path: str, home: Path) -> str:
    if re.match(r"^[a-z][a-z0-9+.-]*://", path, re.IGNORECASE):
        return path
    return os.path.normpath(os.path.join(home, os.path.expanduser(path)))


def _read_module(module: str, home: Path) -> tuple[str, str]:
    if not module.endswith(".py"):
        return module, ""
    file = home / module
    try:
        source = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RetrainerError(
            f"model.module names '{module}', and there is no '{file}'. Name a file relative to retrain.yaml, or a "
            "module that is installed in the image."
        ) from error
    size = len(source.encode())
    if size > MAX_MODULE_BYTES:
        raise RetrainerError(
            f"'{file}' has {size:,} bytes; a file travels within the compiled pipeline and may have "
            f"{MAX_MODULE_BYTES:,}. Install larger code in the image and name it as a module."
        )
    return "", source


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(inner) for key, inner in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value
