"""The section `monitoring.drift`: skew and drift of features and predictions."""

from pydantic import Field, model_validator

from ..section import Section


class MethodsConfig(Section):
    """Measures of distance: `jensen_shannon`, `infinity_norm`, `psi`, and for numbers `ks` and `wasserstein`."""

    text: str = Field("infinity_norm", description="Measure of text columns.")
    numbers: str = Field("jensen_shannon", description="Measure of number columns.")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Measures of single columns, by name."
    )

    @model_validator(mode="after")
    def _methods_exist(self) -> "MethodsConfig":
        # Named here, since the measures themselves need NumPy.
        numbers = ("jensen_shannon", "infinity_norm", "psi", "ks", "wasserstein")
        chosen = {"numbers": self.numbers, **{f"columns.{k}": v for k, v in self.columns.items()}}
        for key, method in (*chosen.items(), ("text", self.text)):
            known = numbers[:3] if key == "text" else numbers
            if method not in known:
                raise ValueError(f"{key} is '{method}'; it must be one of {', '.join(known)}")
        return self


class DriftConfig(Section):
    """Skew against the training data, drift against earlier spans, drift of predictions."""

    method: MethodsConfig = Field(default_factory=MethodsConfig)
    thresholds: dict[str, float] = Field(
        default_factory=dict,
        description="Largest distance allowed, by column; other bounds follow from what is usual in the past.",
    )
    false_alarms: float = Field(
        0.002,
        gt=0,
        le=0.2,
        description="Share of the looks in which clean data may breach a bound that follows from the past, over all "
        "columns of a kind of signal together.",
    )
    min_spans: int = Field(
        5,
        ge=3,
        le=1000,
        description="Number of clean earlier spans from which drift is judged.",
    )
    min_rows: int = Field(
        30, ge=1, description="Number of values of a column in a window from which it is judged."
    )
    skew: bool = Field(
        True, description="Whether requests are compared with the champion's training data."
    )
    predictions: bool = Field(
        True,
        description="Whether predictions are compared with the champion's on its evaluation split, and over time.",
    )
    ignore: list[str] = Field(
        default_factory=list, description="Columns that are not compared, such as counters."
    )

    @model_validator(mode="after")
    def _thresholds_are_distances(self) -> "DriftConfig":
        for column, threshold in self.thresholds.items():
            if not 0 <= threshold < float("inf"):
                raise ValueError(f"thresholds.{column} is {threshold}; a distance is 0 or more")
        return self
