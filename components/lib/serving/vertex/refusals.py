"""What Vertex AI's refusals mean, and how to fix them."""

import re

from ...vertex_api import LOG_IN
from .settings import VertexSettings

_QUOTA = re.compile(r"quota", re.IGNORECASE)
_METRIC = re.compile(r"[a-z]+\.googleapis\.com/[\w/]+")
_SHORTAGE = re.compile(r"stockout|out of (resources|capacity)|insufficient", re.IGNORECASE)
_BUSY = re.compile(r"operations? .*\b(running|in progress|pending)\b", re.IGNORECASE)
_MACHINE = re.compile(r"machine.?type|accelerator", re.IGNORECASE)
_PERMISSION = re.compile(r"[pP]ermission '?([a-z]+\.[a-zA-Z]+\.[a-zA-Z]+)'?")


def is_shortage(words: str) -> bool:
    """Return whether the service says that it has no machines at the moment, or that a quota is used up."""
    return bool(_SHORTAGE.search(words) or _QUOTA.search(words))


def is_busy(words: str) -> bool:
    """Return whether the service refuses because another operation on the same resource has not ended."""
    return bool(_BUSY.search(words))


def explain(settings: VertexSettings, code: int, words: str) -> str:
    """Return a refusal in the service's words, with what to do about it.

    Args:
        settings: What was asked for.
        code: Its HTTP status.
        words: The service's words.
    """
    place = f"project '{settings.project}', region '{settings.region}'"
    text = words if words.endswith((".", "!", "?")) else f"{words}."
    if code == 401:
        return f"{text} {LOG_IN}"
    if code == 403:
        found = _PERMISSION.search(words)
        needed = f"the permission {found[1]}" if found else "roles/aiplatform.user"
        account = (
            f", and roles/iam.serviceAccountUser on {settings.service_account}"
            if settings.service_account
            else ""
        )
        return (
            f"{text} Grant the caller {needed} on project '{settings.project}'{account}. Vertex AI's service agent "
            "needs roles/storage.objectViewer on the store's bucket."
        )
    if _QUOTA.search(words) or code == 429:
        metric = _METRIC.search(words)
        name = f"quota {metric[0]}" if metric else "quota"
        return (
            f"{text} The {name} of {place} is used up: ask for more (IAM & Admin, Quotas), or set a smaller "
            f"serving.deploy.vertex.machine_type ('{settings.machine_type}' now) or max_replicas "
            f"({settings.max_replicas} now). Two versions run at once while traffic moves."
        )
    if _SHORTAGE.search(words):
        return (
            f"{text} There is no free '{_machine(settings)}' in {place} at the moment: try again later, or set "
            "another serving.deploy.vertex.machine_type or accelerator_type."
        )
    if code in (400, 404) and _MACHINE.search(words):
        return (
            f"{text} Region '{settings.region}' does not have '{_machine(settings)}' for predictions: set another "
            "serving.deploy.vertex.machine_type or accelerator_type, or another region."
        )
    if code == 404:
        return f"{text} Looked for in {place}; is the Vertex AI API enabled there?"
    return text


def _machine(settings: VertexSettings) -> str:
    if settings.shared_resources:
        return settings.shared_resources
    if settings.accelerator_type:
        return (
            f"{settings.machine_type} with {settings.accelerator_count} {settings.accelerator_type}"
        )
    return settings.machine_type
