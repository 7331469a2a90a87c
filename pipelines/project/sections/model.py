"""The section of retrain.yaml on the user's code and its training."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from .section import Section, with_text_keys


class OwnerConfig(Section):
    """Who owns the model."""

    name: str = Field(min_length=1, description="A person or a team.")
    contact: str | None = Field(None, description="Such as an e-mail address.")


class RiskConfig(Section):
    """An ethical or environmental risk of the model."""

    name: str = Field(min_length=1, description="The risk.")
    mitigation_strategy: str | None = Field(None, description="What is done about it.")


class ModelCardConfig(Section):
    """What the model card of each version says beside what was measured; every key is optional."""

    overview: str | None = Field(None, description="What the model does, in one line.")
    documentation: str | None = Field(None, description="A longer description of it and its use.")
    owners: list[OwnerConfig] = Field(
        default_factory=list, description="Who owns it: `name` and `contact`."
    )
    license: str | None = Field(
        None, description="SPDX identifier of its licence, or `proprietary`; excludes license_text."
    )
    license_text: str | None = Field(None, description="Text of a licence without an identifier.")
    references: list[str] = Field(default_factory=list, description="URIs with more about it.")
    citations: list[str] = Field(default_factory=list, description="How to cite it.")
    users: list[str] = Field(default_factory=list, description="Who is meant to use it.")
    use_cases: list[str] = Field(default_factory=list, description="What it is meant for.")
    limitations: list[str] = Field(
        default_factory=list, description="Where it is known to be weak, or not to apply."
    )
    tradeoffs: list[str] = Field(default_factory=list, description="Known trade-offs.")
    ethical_considerations: list[RiskConfig] = Field(
        default_factory=list, description="Risks: `name` and `mitigation_strategy`."
    )

    @model_validator(mode="after")
    def _has_one_license(self) -> "ModelCardConfig":
        if self.license and self.license_text:
            raise ValueError("set either license or license_text, not both")
        return self


class ModelConfig(Section):
    """Your code, and how it is trained."""

    module: str = Field(
        "model.py",
        min_length=1,
        description="File with preprocessing_fn and build_model, relative to retrain.yaml; or a module installed in "
        "the image.",
    )
    steps: int | None = Field(
        None, ge=1, description="Total training batches; null: as many as `epochs` needs."
    )
    epochs: int = Field(1, ge=1, description="Passes over the training split, if steps is null.")
    batch_size: int = Field(512, ge=1, description="Rows in a training batch.")
    seed: int = Field(
        1, ge=0, lt=2**32, description="Random seed for initial weights and shuffling."
    )
    warm_start: bool = Field(
        False,
        description="Start from the champion's weights. Weights follow words and features by meaning; new ones are "
        "initialised. A champion of the same rows, code and settings is taken as it is.",
    )
    card: ModelCardConfig = Field(
        default_factory=ModelCardConfig,
        description="What the model card of each version says beside what was measured.",
    )
    hyperparameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Passed to build_model. Numbers arrive as floats, because KFP passes them so.",
    )
    class_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict,
        description='Training weights of classes, such as {"0": 1, "1": 20}; other classes have weight 1. For a '
        "column of weights use evaluation.example_weight_key, which also weighs training.",
    )
    balance_classes: bool = Field(
        False,
        description="Weigh classes inversely to their frequency in training; excludes class_weights.",
    )
    validation_fraction: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the training rows held out for validation after each epoch, chosen by a hash of "
        "data.key, or of the whole row if there is no key.",
    )
    early_stopping_patience: int | None = Field(
        None,
        ge=1,
        description="Epochs without improvement after which training stops and the best epoch's weights are "
        "restored; null: no early stopping.",
    )
    early_stopping_monitor: str = Field(
        "val_loss",
        min_length=1,
        description="Value to monitor: val_loss, or val_ and the name of a metric of the model.",
    )
    early_stopping_mode: Literal["auto", "min", "max"] = Field(
        "auto", description="Whether less (min) or more (max) is better; auto lets Keras decide."
    )

    @field_validator("class_weights", mode="before")
    @classmethod
    def _text_classes(cls, value: Any) -> Any:
        """Convert keys to text, as in JSON: YAML reads `{0: 1}` with a number as key."""
        keyed = with_text_keys(value)
        for name in keyed if isinstance(keyed, dict) else ():
            try:
                float(name)
            except ValueError as error:
                raise ValueError(
                    f'has the key \'{name}\'; keys are values of the label, such as "0" and "1"'
                ) from error
        return keyed

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
