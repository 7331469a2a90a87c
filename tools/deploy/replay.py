"""Publish dead letters again, once the cause is fixed.

Usage: python tools/deploy/replay.py SUBSCRIPTION TOPIC [--dry-run]

A message is acknowledged once its copy is stored, so one that is interrupted may be published twice, which is one run.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from google.api_core.exceptions import DeadlineExceeded
from google.cloud import pubsub_v1
from google.pubsub_v1 import PublisherClient

# What the trigger service and Pub/Sub's own dead-letter policy add to a message that they give up. Attributes that
# begin with goog are Pub/Sub's own, and it lets nobody else publish them.
ADDED = ("retrainer-reason", "CloudPubSubDeadLetterSource", "goog")
MESSAGE_ID, PUBLISHED = "retrainer-message-id", "retrainer-published"
# cloud.google.com/pubsub/docs/handling-failures#track-delivery-attempts
SOURCE_PUBLISHED = "CloudPubSubDeadLetterSourceTopicPublishTime"
BATCH = 100
QUIET_SECONDS = 10.0


def main() -> int:
    """Replay, or with --dry-run show, until the subscription has no more.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("subscription", help="projects/<project>/subscriptions/<name>")
    parser.add_argument("topic", help="projects/<project>/topics/<name>")
    parser.add_argument("--dry-run", action="store_true", help="show the messages, and keep them")
    arguments = parser.parse_args()
    with pubsub_v1.SubscriberClient() as subscriber:
        if arguments.dry_run:
            count = show(subscriber, arguments.subscription)
            print(f"{count} messages lie there")
        else:
            count = replay(subscriber, arguments.subscription, arguments.topic)
            print(f"{count} messages published again")
    return 0


def replay(subscriber: Any, subscription: str, topic: str) -> int:
    """Publish each message, and acknowledge it once its copy is stored.

    Args:
        subscriber: The client.
        subscription: Where dead letters lie.
        topic: Where they go.

    Returns:
        How many there were.
    """
    publisher = pubsub_v1.PublisherClient()
    count = 0
    for received in pull(subscriber, subscription):
        message = {
            "data": received.message.data,
            "attributes": original(received.message),
            "ordering_key": received.message.ordering_key,
        }
        # The API's own method, because a message may have attributes that are named as parameters of the client's are.
        PublisherClient.publish(publisher, topic=topic, messages=[message])
        subscriber.acknowledge(subscription=subscription, ack_ids=[received.ack_id])
        report(received.message)
        count += 1
    return count


def show(subscriber: Any, subscription: str) -> int:
    """Print each message, and leave all of them in the subscription.

    Args:
        subscriber: The client.
        subscription: Where dead letters lie.

    Returns:
        How many there are.
    """
    ids = []
    for received in pull(subscriber, subscription):
        report(received.message)
        ids.append(received.ack_id)
    for start in range(0, len(ids), BATCH):
        # A deadline of 0 is "not acknowledged"; without it they would be out of reach for minutes.
        subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=ids[start : start + BATCH], ack_deadline_seconds=0
        )
    return len(ids)


def report(message: Any) -> None:
    """Print which message it is, and why it was given up."""
    reason = message.attributes.get("retrainer-reason", "it failed too often")
    print(f"{message.message_id}: {reason}")


def pull(subscriber: Any, subscription: str) -> Any:
    """Return messages until none comes for some seconds.

    Args:
        subscriber: The client.
        subscription: Where from.

    Yields:
        Received messages, each once.
    """
    seen: set[str] = set()
    while True:
        try:
            answer = subscriber.pull(
                subscription=subscription, max_messages=BATCH, timeout=QUIET_SECONDS
            )
        except DeadlineExceeded:
            return
        # Those that were published just now come back only if their acknowledgement was late.
        fresh = [one for one in answer.received_messages if one.message.message_id not in seen]
        if not fresh:
            return
        seen.update(one.message.message_id for one in fresh)
        yield from fresh


def original(message: Any) -> dict[str, str]:
    """Return the attributes that a message had before it was given up, and its first id and time.

    By these the trigger service knows it again, so that a run which was started meanwhile is not started twice.
    """
    attributes: Mapping[str, str] = message.attributes
    published = attributes.get(PUBLISHED) or attributes.get(SOURCE_PUBLISHED)
    own = {key: value for key, value in attributes.items() if not key.startswith(ADDED)}
    return {
        **own,
        MESSAGE_ID: attributes.get(MESSAGE_ID, message.message_id),
        PUBLISHED: published or message.publish_time.isoformat(),
    }


if __name__ == "__main__":
    sys.exit(main())
