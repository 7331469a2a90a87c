"""Google's own in-memory Pub/Sub server, in Go, for the real clients to talk to.

It is googleapis/google-cloud-go, pubsub/v2/pstest. Retry policies, dead letters and pushes are not in it: what a
push looks like is in trigger_process.py and trigger_messages.py, by reading cloud.google.com/pubsub/docs/push.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from servers.go_programs import build

SOURCE = Path(__file__).parent / "pubsub"
PROJECT = "projects/acme-ml"


class PubSubServer:
    """The server on loopback, within a `with`; PUBSUB_EMULATOR_HOST names it to the clients."""

    def __enter__(self) -> "PubSubServer":
        from google.cloud import pubsub_v1

        self._process = subprocess.Popen(
            [build(SOURCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.address = self._process.stdout.readline().strip()
        self._before = os.environ.get("PUBSUB_EMULATOR_HOST")
        os.environ["PUBSUB_EMULATOR_HOST"] = self.address
        self._publisher: Any = pubsub_v1.PublisherClient()
        self._subscriber: Any = pubsub_v1.SubscriberClient()
        return self

    def __exit__(self, *_: object) -> None:
        self._subscriber.close()
        if self._before is None:
            del os.environ["PUBSUB_EMULATOR_HOST"]
        else:
            os.environ["PUBSUB_EMULATOR_HOST"] = self._before
        self._process.kill()
        self._process.communicate()

    def add_topic(self, name: str) -> str:
        """Make a topic; returns its full name."""
        topic = f"{PROJECT}/topics/{name}"
        self._publisher.create_topic(name=topic)
        return topic

    def add_subscription(self, name: str, topic: str, **settings: Any) -> str:
        """Make a subscription with an acknowledgement deadline of ten seconds; returns its full name."""
        subscription = f"{PROJECT}/subscriptions/{name}"
        request = {"name": subscription, "topic": topic, "ack_deadline_seconds": 10, **settings}
        self._subscriber.create_subscription(request=request)
        return subscription

    def publish(self, topic: str, data: bytes = b"{}", **attributes: str) -> str:
        """Publish a message; returns its id."""
        return self._publisher.publish(topic, data, **attributes).result(timeout=60)

    def pull(self, subscription: str, count: int) -> list[Any]:
        """Wait for so many messages, and acknowledge them."""
        messages: list[Any] = []
        while len(messages) < count:
            answer = self._subscriber.pull(
                subscription=subscription, max_messages=count - len(messages), timeout=60
            )
            ids = [received.ack_id for received in answer.received_messages]
            if ids:
                self._subscriber.acknowledge(subscription=subscription, ack_ids=ids)
            messages += [received.message for received in answer.received_messages]
        return messages
