"""The section of retrain.yaml on the user's code and its training."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from .section import Section, with_text_keys


class ModelConfig(Section):
    """The user's code and how it is trained."""

    module: str = Field(
        "model.py",
        min_length=1,
        description="File with preprocessing_fn and build_model, relative to retrain.yaml; or a module that is "
        "installed in the image.",
    )
    steps: int | None = Field(
        None, ge=1, description="Training batches in all; null: as many as `epochs` has."
    )
    epochs: int = Field(1, ge=1, description="Passes over the training split, where steps is null.")
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
    early_stopping_patience: int | None = Field(
        None,
        ge=1,
        description="Epochs without a better value after which training ends, with the weights of the best epoch; "
        "null: training goes on to the end.",
    )
    early_stopping_monitor: str = Field(
        "val_loss",
        min_length=1,
        description="That value: val_loss, or val_ and the name of a metric of the model.",
    )
    early_stopping_mode: Literal["auto", "min", "max"] = Field(
        "auto", description="Whether less (min) or more (max) of it is better; auto asks Keras."
    )

    @field_validator("class_weights", mode="before")
    @classmethod
    def _text_classes(cls, value: Any) -> Any:
        """Convert keys to text, as in JSON: YAML reads `{0: 1}` with a number as key."""
        return with_text_keys(value)

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
