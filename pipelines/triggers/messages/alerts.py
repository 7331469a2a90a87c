"""What a message of monitoring says: the notifications of Cloud Monitoring and of Prometheus Alertmanager."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..types import InvalidMessageError
from .contents import check_text, show_value


@dataclass(frozen=True)
class Incident:
    """An incident that began.

    Attributes:
        key: Identifies it.
        name: Name of the policy or alert that raised it.
    """

    key: str
    name: str


def is_alert(body: Mapping[str, Any]) -> bool:
    """Return whether a body is a notification of Cloud Monitoring or of Alertmanager."""
    return "incident" in body or "alerts" in body


def read_alerts(body: Mapping[str, Any]) -> list[Incident]:
    """Read the notification of Cloud Monitoring or Alertmanager.

    Returns:
        The incidents that began; none if it says that one is over, or only tests the channel.

    Raises:
        InvalidMessageError: If something in it is missing or wrong.
    """
    return _read_alertmanager(body) if "alerts" in body else _read_monitoring(body)


def _read_monitoring(body: Mapping[str, Any]) -> list[Incident]:
    incident = body.get("incident")
    if not isinstance(incident, dict):
        raise InvalidMessageError(
            f"the alert's 'incident' is {show_value(incident)} and must be a JSON object."
        )
    state = check_text(incident.get("state"), "the incident's 'state'")
    # The console's button that tries a channel sends an open incident of this version.
    if state != "open" or body.get("version") == "test":
        return []
    key = check_text(incident.get("incident_id"), "the incident's 'incident_id'")
    return [Incident(key, check_text(incident.get("policy_name"), "the incident's 'policy_name'"))]


def _read_alertmanager(body: Mapping[str, Any]) -> list[Incident]:
    alerts = body["alerts"]
    if not isinstance(alerts, list) or not all(isinstance(alert, dict) for alert in alerts):
        raise InvalidMessageError(
            f"the alert's 'alerts' is {show_value(alerts)} and must be a list of JSON objects."
        )
    incidents = []
    for alert in alerts:
        if check_text(alert.get("status"), "an alert's 'status'") != "firing":
            continue
        labels = alert.get("labels")
        if not isinstance(labels, dict):
            raise InvalidMessageError(
                f"an alert's 'labels' is {show_value(labels)} and must be a JSON object."
            )
        fingerprint = check_text(alert.get("fingerprint"), "an alert's 'fingerprint'")
        started = check_text(alert.get("startsAt"), "an alert's 'startsAt'")
        name = check_text(labels.get("alertname"), "an alert's label 'alertname'")
        incidents.append(Incident(f"{fingerprint}@{started}", name))
    return incidents
