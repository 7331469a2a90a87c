"""The section of retrain.yaml on what a change against the champion must show."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from .section import Section


class SignificanceConfig(Section):
    """How challenger and champion are compared: row by row, over the same draws of rows."""

    metrics: list[str] = Field(
        default_factory=list,
        description="Names of the metrics to compare by, such as `auc`; empty: all that have a threshold and a better "
        "side.",
    )
    promote_on: Literal["no_loss", "gain"] = Field(
        "no_loss",
        description="`no_loss`: the confidence interval of the difference must lie above a loss of `margin`. "
        "`gain`: the whole interval must lie above 0.",
    )
    margin: float | None = Field(
        None,
        ge=0,
        description="Largest loss that counts as none, in the metric's own unit. If null: 0.01 for a metric that is "
        "better when higher, 2 % of the champion's value for losses and errors.",
    )
    relative_margin: float | None = Field(
        None, ge=0, description="The same as a share of the champion's value."
    )
    confidence: float = Field(
        0.95,
        gt=0.5,
        lt=1,
        description="How sure one must be. 0.95: `no_loss` holds the lower end of the 90 % interval against `margin`, "
        "so that a larger loss passes in 5 % of cases; `gain` holds that of the 95 % interval against 0.",
    )
    draws: int = Field(
        100,
        ge=20,
        le=1000,
        description="Number of groups of rows that are left out in turn (delete-a-group jackknife).",
    )

    @model_validator(mode="after")
    def _one_margin(self) -> "SignificanceConfig":
        if self.margin is not None and self.relative_margin is not None:
            raise ValueError("margin and relative_margin exclude each other; remove one")
        return self


class SlicesConfig(Section):
    """Which slices count in the comparison, and how a loss in one of them is judged."""

    min_rows: int = Field(200, ge=1, description="Least number of rows of a slice that counts.")
    max_gap: float | None = Field(
        None,
        ge=0,
        description="Largest gap between the challenger's values on two slices by the same columns; null: any. It is "
        "judged like a loss: a wider gap counts where it is more than chance.",
    )
    correction: Literal["holm", "benjamini_hochberg", "none"] = Field(
        "holm",
        description="How p-values are corrected for many slices: `holm` bounds the chance of one false finding, "
        "`benjamini_hochberg` the share of false ones among all findings.",
    )


class ChampionPolicyConfig(Section):
    """What decides where the champion can't be compared as usual."""

    missing: Literal["value_thresholds", "refuse"] = Field(
        "value_thresholds",
        description="There is none: the value thresholds decide, or the model is refused.",
    )
    column_gone: Literal["compare", "value_thresholds", "refuse"] = Field(
        "compare",
        description="A column that the champion takes is in no evaluation row: compare it with that column empty, let "
        "the value thresholds decide, or refuse the model.",
    )
    unfit: Literal["value_thresholds", "refuse"] = Field(
        "value_thresholds",
        description="It can answer fewer than half of the rows, or has no output for a new class of the label.",
    )
    broken: Literal["fail", "value_thresholds", "refuse"] = Field(
        "fail", description="It does not load: the task fails, or as above."
    )


def _of_flag(value: Any) -> Any:
    """Read true as the defaults and false as null, so that an error names the setting and no type of ours."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


def _or_flag(schema: dict[str, Any]) -> None:
    schema["anyOf"].insert(0, {"type": "boolean"})


class GateConfig(Section):
    """What a model must show beside TFMA's thresholds before it is blessed."""

    require_significance: Annotated[SignificanceConfig | None, BeforeValidator(_of_flag)] = Field(
        None,
        json_schema_extra=_or_flag,
        description="Compare challenger and champion with confidence intervals: true for the defaults. On all rows the "
        "challenger must show that it is no worse; on a slice a loss must be shown before it counts.",
    )
    cluster: str | None = Field(
        None,
        description="Column whose equal values mark rows that depend on each other, such as a customer's: they are "
        "drawn together. null: rows are independent.",
    )
    slices: SlicesConfig = Field(default_factory=SlicesConfig)
    champion: ChampionPolicyConfig = Field(default_factory=ChampionPolicyConfig)
    approve: bool = Field(
        False,
        description="Whether a blessed model waits for a person: its version is pending until `retrainer models "
        "approve` puts it into service or `retrainer models refuse` does not. The run ends meanwhile.",
    )

    @model_validator(mode="after")
    def _has_a_comparison(self) -> "GateConfig":
        if self.require_significance is None and (self.cluster or self.slices != SlicesConfig()):
            raise ValueError("cluster and slices need require_significance; set it to true")
        return self

    def evaluation_settings(self) -> dict[str, Any]:
        """Return the input `gate` of `evaluate_model`; empty where nothing is asked."""
        asked: dict[str, Any] = {}
        if self.require_significance is not None:
            names = {"require_significance", "cluster", "slices"}
            asked = self.model_dump(exclude_none=True, include=names)
        if self.champion != ChampionPolicyConfig():
            asked["champion"] = self.champion.model_dump()
        return asked
