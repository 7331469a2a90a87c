"""The section of retrain.yaml on who is notified when a run ends."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from ....components.lib.errors import RetrainerError
from ....components.notify_outcome.channels import parse_channel
from .section import Section

Outcome = Literal[
    "pushed",
    "pending",
    "unchanged",
    "refused",
    "predicted",
    "rolled_back",
    "watched",
    "monitored",
    "stopped",
    "failed",
    "waiting",
    "incident",
    "needs_a_person",
    "escalated",
    "resolved",
]
DEFAULT_OUTCOMES: tuple[Outcome, ...] = (
    "pushed",
    "pending",
    "refused",
    "rolled_back",
    "stopped",
    "failed",
    "waiting",
    "incident",
    "needs_a_person",
    "escalated",
    "resolved",
)
KINDS = ("webhook", "slack", "email", "pubsub")

_Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class ChannelConfig(Section):
    """What every channel has."""

    kind: ClassVar[str] = ""

    on: list[Outcome] | None = Field(
        None, description="Outcomes that this channel reports; those of `notify.on` if null."
    )

    @model_validator(mode="after")
    def _is_right(self) -> "ChannelConfig":
        try:
            parse_channel({"kind": self.kind, **self.settings()})
        except RetrainerError as error:
            raise ValueError(str(error).removesuffix(".")) from error
        return self

    def settings(self) -> dict[str, Any]:
        """Return the keys that are set, without `on`."""
        return self.model_dump(exclude={"on"}, exclude_none=True)


class WebhookConfig(ChannelConfig):
    """A server that receives the message as JSON, by HTTP POST."""

    kind: ClassVar[str] = "webhook"

    url: str | None = Field(
        None,
        description="Address of the server. Use `url_env` or `url_file` if the address is a secret.",
    )
    url_env: _Variable | None = Field(
        None, description="Environment variable that holds the address."
    )
    url_file: str | None = Field(
        None, description="File that holds the address: a mounted secret, or any URI."
    )
    secret_env: _Variable | None = Field(
        None,
        description="Environment variable that holds the signing secret. If set, the header "
        "`X-Retrainer-Signature-256` has the HMAC-SHA-256 of the body, in the form of GitHub's webhooks.",
    )
    secret_file: str | None = Field(
        None, description="File that holds the signing secret: a mounted secret, or any URI."
    )


class SlackConfig(ChannelConfig):
    """An incoming webhook of Slack, or of a service with a compatible format."""

    kind: ClassVar[str] = "slack"

    url_env: _Variable | None = Field(
        None,
        description="Environment variable that holds the webhook's address, which is a secret; "
        "RETRAINER_SLACK_URL if neither is set.",
    )
    url_file: str | None = Field(
        None, description="File that holds the address: a mounted secret, or any URI."
    )


class EmailConfig(ChannelConfig):
    """E-mail through an SMTP server."""

    kind: ClassVar[str] = "email"

    host: str = Field(description="Host name of the SMTP server.")
    port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of the server; if null, 587 for `starttls`, 465 for `tls`, 25 for `none`.",
    )
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="starttls: encryption starts after connecting, and is required. tls: encrypted from the start. "
        "none: unencrypted, for a relay in a private network.",
    )
    sender: str = Field(description="Address of the sender.")
    to: list[str] = Field(min_length=1, description="Addresses of the recipients.")
    user: str | None = Field(None, description="User name for logging in; no login if null.")
    password_env: _Variable | None = Field(
        None,
        description="Environment variable that holds the password; RETRAINER_SMTP_PASSWORD if neither is set.",
    )
    password_file: str | None = Field(
        None, description="File that holds the password: a mounted secret, or any URI."
    )


class PubsubConfig(ChannelConfig):
    """A Pub/Sub topic, for programs that react to a run's outcome."""

    kind: ClassVar[str] = "pubsub"

    topic: str = Field(
        description="`projects/<project>/topics/<name>`; the tasks' service account needs roles/pubsub.publisher on "
        "it."
    )


def _or_one(schema: dict[str, Any]) -> None:
    """Let editors take one mapping, too, where a list of them can stand."""
    one = schema.pop("items")
    schema["anyOf"] = [one, {"type": schema.pop("type"), "items": one}]


class NotifyConfig(Section):
    """Who is notified of a run's outcome. Each channel is one mapping, or a list of them."""

    on: list[Outcome] = Field(
        default_factory=lambda: list(DEFAULT_OUTCOMES),
        description="pushed: a new champion. pending: a new model waits for approval. unchanged: the model already was "
        "the champion. refused: the gate refused the model. predicted: batch prediction scored its spans. "
        "rolled_back: a look rolled a version back. watched: any other look at a rollout. stopped: data "
        "validation or an older span stopped the run. failed: any other end. waiting: a trigger's message waits "
        "for its cool-down or daily limit. incident: monitoring detected something. needs_a_person: there are too "
        "few new rows for a retrain. escalated: a retrain did not help. resolved: an incident is over.",
    )
    webhook: list[WebhookConfig] = Field(
        default_factory=list,
        description="Servers that receive the message as JSON.",
        json_schema_extra=_or_one,
    )
    slack: list[SlackConfig] = Field(
        default_factory=list,
        description="Incoming webhooks of Slack.",
        json_schema_extra=_or_one,
    )
    email: list[EmailConfig] = Field(
        default_factory=list, description="E-mail, by SMTP.", json_schema_extra=_or_one
    )
    pubsub: list[PubsubConfig] = Field(
        default_factory=list, description="Pub/Sub topics.", json_schema_extra=_or_one
    )

    @field_validator(*KINDS, mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        # `slack: {}` is a channel with every setting at its default.
        if isinstance(value, str):
            raise ValueError("must be a mapping of settings, or a list of such mappings")
        return [value] if isinstance(value, dict) else [] if value is None else value

    def channels(self) -> list[dict[str, Any]]:
        """Return the channels as the component `notify_outcome` takes them: `kind`, `name`, `on`, and what is set."""
        return [
            {"kind": kind, "name": name, "on": channel.on or self.on, **channel.settings()}
            for kind, name, channel in self._named()
        ]

    def located(self, absolute: Callable[[str], str]) -> "NotifyConfig":
        """Return the section with every file's path made absolute.

        Args:
            absolute: Makes a path absolute, and leaves a URI as it is.
        """

        def locate(channel: ChannelConfig) -> ChannelConfig:
            settings = channel.settings().items()
            paths = {key: absolute(path) for key, path in settings if key.endswith("_file")}
            return channel.model_copy(update=paths)

        return self.model_copy(
            update={kind: [locate(channel) for channel in getattr(self, kind)] for kind in KINDS}
        )

    def _named(self) -> Iterator[tuple[str, str, Any]]:
        for kind in KINDS:
            channels = getattr(self, kind)
            for place, channel in enumerate(channels):
                yield kind, kind if len(channels) == 1 else f"{kind}[{place}]", channel
