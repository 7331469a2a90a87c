"""Opening the store of records that retrain.yaml names."""

from ....components.lib.errors import RetrainerError
from .files import FileClaims
from .store import Claims

LEASE_SCHEME = "lease://"


def open_claims(uri: str) -> Claims:
    """Open a store of records, and make sure that it lets nobody write a record twice.

    Args:
        uri: A folder or URI, or `lease://<namespace>`.

    Raises:
        RetrainerError: If it can't be written, or creates a file that is there already.
    """
    if uri.startswith(LEASE_SCHEME):
        # The cluster's client takes a second to load.
        from .leases import LeaseClaims

        claims: Claims = LeaseClaims(uri.removeprefix(LEASE_SCHEME))
    else:
        claims = FileClaims(uri)
    _probe(claims, uri)
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
