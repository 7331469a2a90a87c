"""The section of retrain.yaml on what starts a run."""

import importlib
import re
from enum import StrEnum
from typing import Any

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler

from .section import Section

PARAMETERS = ("span", "pattern", "store", "allow_older")
"""Parameters of the pipeline that a message may set; all are text."""

FLAGS = ("true", "false")


TRIGGER_KINDS = {
    "storage": "retrainer.pipelines.triggers.kinds.storage",
    "request": "retrainer.pipelines.triggers.kinds.request",
    "schedule": "retrainer.pipelines.triggers.kinds.schedule",
    "alert": "retrainer.pipelines.triggers.kinds.alert",
}
"""Every kind of trigger, and the module that describes it as KIND, a `triggers.kinds.interface.TriggerKind`.

They are names, as entry points of packages are: reading a retrain.yaml loads no trigger.
"""

STORAGE = "storage"
_BUILT_IN = frozenset(("storage", "request", "schedule", "alert"))
"""Kinds with the settings of TriggerConfig alone, whose modules need not be loaded for it."""
_KIND_OF_KEY = {"pattern": "storage", "marker": "storage", "allow": "request", "policy": "alert"}


class PushAuth(StrEnum):
    """Who checks the signature of a push request's token."""

    TOKEN = "token"
    IAM = "iam"


class TriggerConfig(Section):
    """One trigger: which messages start a run, with which parameters, and how often."""

    kind: str = Field(
        json_schema_extra={"enum": list(TRIGGER_KINDS)},
        description="storage: Cloud Storage wrote an object. request: somebody sent a request in JSON. "
        "schedule: Cloud Scheduler. alert: monitoring opened an incident.",
    )
    pattern: str | None = Field(
        None,
        description="storage: objects of a span, `gs://bucket/day={span:%Y-%m-%d}/*.parquet`; data.pattern if null.",
    )
    marker: str | None = Field(
        None,
        description="storage: name of the object that marks a span as complete, such as `_SUCCESS`, in the folder of "
        "its files. With a marker, no other object starts a run. If null, data.marker for a trigger that "
        "watches the data's own folder.",
    )
    attributes: dict[str, str] = Field(
        default_factory=dict,
        description="Attributes that a message must have; `*` matches any text, `?` any character.",
    )
    policy: str = Field(
        "*",
        min_length=1,
        description="alert: name of the alerting policy (Cloud Monitoring) or of the alert (Alertmanager).",
    )
    parameters: dict[str, str] = Field(
        default_factory=dict,
        description="Parameters of the run: `span`, `pattern`, `store` or `allow_older` (`true` or `false`). "
        "`{span}` stands for the span of a storage message. Others keep their defaults, so a run uses "
        "the newest span.",
    )
    allow: list[str] = Field(
        default_factory=list,
        description="request: parameters that the message may set, of `span`, `pattern`, `store` and `allow_older`.",
    )
    coalesce_seconds: int = Field(
        300,
        ge=0,
        le=3600,
        description="storage without a marker: a span's run starts when no new file has come for this many seconds "
        "(up to a tenth longer), at the latest after twelve times as many; 0 starts a run for each file. "
        "With a marker: only if set, for spans of several folders with a marker each. schedule: messages "
        "within this many seconds (at least 60) are one cause, whose run starts at once.",
    )
    cool_down_seconds: int = Field(
        0,
        ge=0,
        le=2_592_000,
        description="Minimum seconds between two runs of this trigger, at most 30 days; earlier messages wait.",
    )
    daily_limit: int | None = Field(
        None,
        ge=1,
        description="Maximum runs of this trigger in a UTC day; null: unlimited. Excess messages wait.",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _read_by_kind(
        cls, value: Any, handler: ModelWrapValidatorHandler["TriggerConfig"]
    ) -> "TriggerConfig":
        """Read it as the section of its kind, which may have settings of its own."""
        kind = value.get("kind") if isinstance(value, dict) else None
        if cls is TriggerConfig and isinstance(kind, str) and kind not in _BUILT_IN:
            section = section_of_kind(kind)
            if section is not TriggerConfig:
                return section.model_validate(value)
        return handler(value)

    @field_validator("kind")
    @classmethod
    def _is_a_kind(cls, value: str) -> str:
        if value not in TRIGGER_KINDS:
            *most, last = (f"'{kind}'" for kind in TRIGGER_KINDS)
            raise ValueError(f"must be {', '.join(most)} or {last}")
        return value

    @field_validator("parameters", mode="before")
    @classmethod
    def _flags_as_text(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: str(v).lower() if isinstance(v, bool) else v for k, v in value.items()}

    @model_validator(mode="after")
    def _is_consistent(self) -> "TriggerConfig":
        for key in (*self.parameters, *self.allow):
            if key not in PARAMETERS:
                raise ValueError(
                    f"'{key}' is no parameter of the pipeline; these are: {', '.join(PARAMETERS)}"
                )
        if self.parameters.get("allow_older", "false") not in FLAGS:
            raise ValueError("in parameters, allow_older must be true or false")
        for key in self.model_fields_set & _KIND_OF_KEY.keys():
            if self.kind != _KIND_OF_KEY[key]:
                raise ValueError(
                    f"'{key}' is for triggers on {_KIND_OF_KEY[key]}, and this one is on {self.kind}"
                )
        if "{" in re.sub(r"\{span\}", "", "".join(self.parameters.values())):
            raise ValueError("in parameters, only {span} is filled in")
        if self.kind != STORAGE and any("{span}" in text for text in self.parameters.values()):
            raise ValueError(
                f"{{span}} is filled in for triggers on storage, and this one is on {self.kind}"
            )
        return self


def section_of_kind(kind: str) -> type[TriggerConfig]:
    """Return the class of the section of a kind of trigger: TriggerConfig for the built-in ones and for no kind."""
    if kind in _BUILT_IN or kind not in TRIGGER_KINDS:
        return TriggerConfig
    section: type[TriggerConfig] = importlib.import_module(TRIGGER_KINDS[kind]).KIND.section
    return section


class TriggerServiceConfig(Section):
    """Settings of the trigger service, for all triggers."""

    auth: PushAuth = Field(
        PushAuth.TOKEN,
        description="Who verifies the signature of a push request's token. `token`: the service, with Google's "
        "certificates. `iam`: Cloud Run's IAM, which replaces the signature before the service sees it; "
        "only for a Cloud Run service that requires authentication. Either way the service checks "
        "audience, account, issuer and expiry.",
    )
    audience: str | None = Field(
        None,
        description="Audience that a push request's token must have, as set by the subscription (by default the URL "
        "it pushes to). Separate several by commas; Eventarc's is the service's own URL.",
    )
    push_account: str | None = Field(
        None,
        description="E-mail of the service account whose tokens are accepted; separate several by commas.",
    )
    subscription: str | None = Field(
        None, description="Subscription to pull from: `projects/<project>/subscriptions/<name>`."
    )
    dead_letter_topic: str | None = Field(
        None,
        description="Topic for messages that are permanently invalid, or have waited or failed for 30 days, with the "
        "reason: `projects/<project>/topics/<name>`. If null, these messages are nacked and redelivered.",
    )
    claims: str | None = Field(
        None,
        description="Where runs are claimed before they are submitted: a folder or URI that supports exclusive "
        "creation, or `lease://<namespace>` for Kubernetes Leases; `claims` in the store if null.",
    )

    @field_validator("subscription", "dead_letter_topic", mode="after")
    @classmethod
    def _named_in_full(cls, value: str | None, info: ValidationInfo) -> str | None:
        thing = "subscriptions" if info.field_name == "subscription" else "topics"
        if value and not re.fullmatch(rf"projects/[^/\s]+/{thing}/[^/\s]+", value):
            raise ValueError(f"must be projects/<project>/{thing}/<name>")
        return value

    @field_validator("push_account", mode="after")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        for one in (value or "").split(","):
            if one.strip() and not re.fullmatch(r"[^@\s]+@[^@\s]+", one.strip()):
                raise ValueError(
                    "must be an account's e-mail, such as push@acme-ml.iam.gserviceaccount.com"
                )
        return value
