"""What the trigger service counts, in Prometheus's form."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
# From a message that is known already to a submission that was tried to its deadline.
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)


class Metrics:
    """The counters of one service, in a registry of its own.

    Attributes:
        messages: Messages by trigger (empty if none matched) and result.
        seconds: How long a message took, by result.
        in_flight: Messages that are being handled now.
        received: Requests with a message, by its form.
        auth_failures: Push requests whose token was refused, by reason.
        refused: Push requests that were refused before they were a message, by reason.
        dead_letters: Messages that went to the dead-letter topic, or failed to, by result.
        held: Deferred messages that a puller holds.
        unconfirmed: Acknowledgements that Pub/Sub did not accept; the message is delivered again.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter(
            "retrainer_messages",
            "Messages by trigger and result.",
            ["trigger", "result"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "retrainer_message_seconds",
            "Seconds that handling a message took, by result.",
            ["result"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "retrainer_messages_in_flight",
            "Messages that are being handled now.",
            registry=self.registry,
        )
        self.received = Counter(
            "retrainer_received_requests",
            "Requests with a message, by its form.",
            ["form"],
            registry=self.registry,
        )
        self.auth_failures = Counter(
            "retrainer_auth_failures",
            "Push requests whose token was refused, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.refused = Counter(
            "retrainer_refused_requests",
            "Push requests that were refused before they were a message, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "retrainer_dead_letters",
            "Messages sent to the dead-letter topic, by result.",
            ["result"],
            registry=self.registry,
        )
        self.held = Gauge(
            "retrainer_held_messages",
            "Deferred messages that are held until they are due.",
            registry=self.registry,
        )
        self.unconfirmed = Counter(
            "retrainer_unconfirmed_acks",
            "Acknowledgements that Pub/Sub did not accept.",
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)

    def render(self) -> bytes:
        """Return all of it as the text that Prometheus scrapes."""
        return generate_latest(self.registry)
