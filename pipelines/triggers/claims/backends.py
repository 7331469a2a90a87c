"""The store of claims that retrain.yaml names: opened, and tried out."""

import logging
from threading import Timer

from ....components.lib.errors import RetrainerError
from .files import FileClaims
from .store import Claims

LEASE_SCHEME = "lease://"
QUIET_SECONDS = 3.0
"""A store that has not answered for so long is named in the log, which would be silent until the clients give up."""
_log = logging.getLogger(__name__)


def open_claims(uri: str) -> Claims:
    """Open a store of records, and make sure that it lets nobody write a record twice.

    Args:
        uri: A folder or URI, or `lease://<namespace>`.

    Raises:
        RetrainerError: If it can't be written, or creates a file that is there already.
    """
    waiting = Timer(
        QUIET_SECONDS,
        _log.warning,
        ("waiting for an answer from '%s', where runs are claimed (trigger_service.claims).", uri),
    )
    waiting.start()
    try:
        if uri.startswith(LEASE_SCHEME):
            # The cluster's client takes a second to load.
            from .leases import LeaseClaims

            claims: Claims = LeaseClaims(uri.removeprefix(LEASE_SCHEME))
        else:
            claims = FileClaims(uri)
        _probe(claims, uri)
    finally:
        waiting.cancel()
    return claims


def _probe(claims: Claims, uri: str) -> None:
    """Write a first record twice, of which one has to fail. It stays for the next probe."""
    for attempt in ("one", "another"):
        written = claims.write("probe", {"attempt": attempt}, after=None)
    if written is not None:
        raise RetrainerError(
            f"'{uri}' creates a file that is there already, so that two replicas would start the same run. Set "
            "trigger_service.claims to a local folder, a gs:// or s3:// folder, or lease://<namespace>."
        )
