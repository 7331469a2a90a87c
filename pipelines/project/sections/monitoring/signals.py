"""The section `monitoring.signals`: when a signal is detected, and when it clears."""

from pydantic import Field, model_validator

from ..section import Section


class SignalRuleConfig(Section):
    """When a signal is detected, and when it clears. Looks are counted by the span that they judge."""

    breaches: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Number of breached looks of the newest `looks` from which a signal is detected.",
    )
    looks: int | None = Field(
        None, ge=1, le=100, description="Number of newest looks that `breaches` counts in."
    )
    quiet_looks: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Number of quiet looks in a row after which a signal clears.",
    )
    cool_down_looks: int | None = Field(
        None,
        ge=0,
        le=100,
        description="Number of looks after it cleared in which a signal is suspected at most.",
    )

    @model_validator(mode="after")
    def _enough_looks(self) -> "SignalRuleConfig":
        if self.breaches and self.looks and self.breaches > self.looks:
            raise ValueError(
                f"breaches is {self.breaches}, and of {self.looks} looks no more can be breached"
            )
        return self


class SignalsConfig(SignalRuleConfig):
    """Rules of all signals; a null leaves the kind's own default.

    Drift, skew and estimated quality are detected by 2 breached looks of 3 and clear after 2 quiet ones; broken data,
    realised quality and concept drift are detected at once and clear after 1.
    """

    kinds: dict[str, SignalRuleConfig] = Field(
        default_factory=dict,
        description="Rules of a kind of signal, such as `{drift: {breaches: 3, looks: 5}}`. Kinds: `data`, `skew`, "
        "`drift`, `prediction_drift`, `estimated_quality`, `realised_quality`, `concept_drift`, `attribution_drift`.",
    )

    @model_validator(mode="after")
    def _kinds_exist(self) -> "SignalsConfig":
        from .....components.lib.monitoring.signals import Kind
        from .....components.lib.words import did_you_mean

        known = [str(one) for one in Kind]
        for name in self.kinds:
            if name not in known:
                raise ValueError(
                    f"kinds: there is no kind of signal '{name}'.{did_you_mean(name, known, 'The kinds are')}"
                )
        return self
