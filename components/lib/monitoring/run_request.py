"""Asking the trigger service for the run of an incident.

The message only names the incident. The trigger service looks it up in the store, so a message may be sent as often as
one likes, and one that is lost is sent again by the next look, as long as the incident asks for a run.
"""

import json
from collections.abc import Mapping
from typing import Any

from ..messages.http_post import post
from ..messages.pubsub_publish import publish
from .incident import Incident

TRIGGER_ATTRIBUTE, TRIGGER = "retrainer-trigger", "retraining"
"""Attribute (header) that addresses a message to a trigger, and the trigger that the section `retraining` is."""
SECONDS = 20.0


def request_run(incident: Incident, retraining: Mapping[str, Any]) -> None:
    """Ask for the run of an incident, if the section names where.

    Args:
        incident: The incident.
        retraining: The section `retraining`, with `pipeline`.

    Raises:
        NotSentError: If the message was certainly not accepted.
        MaybeSentError: If the reply was lost.
    """
    topic, url = str(retraining.get("topic") or ""), str(retraining.get("url") or "")
    asked = {"id": incident.id, "pipeline": str(retraining.get("pipeline") or "")}
    body = json.dumps({name: value for name, value in asked.items() if value}).encode()
    attributes = {TRIGGER_ATTRIBUTE: TRIGGER}
    if topic:
        publish(topic, body, attributes, SECONDS)
    elif url:
        token = _token(str(retraining.get("audience") or url))
        login = {"Authorization": f"Bearer {token}"} if token else {}
        post(url, body, {**attributes, **login}, SECONDS)


def _token(audience: str) -> str:
    """Return a token of this machine's account for an audience; empty where there are no Google credentials."""
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request
    from google.oauth2.id_token import fetch_id_token

    try:
        return str(fetch_id_token(Request(), audience))
    except GoogleAuthError:
        # The service says that it wants one.
        return ""
