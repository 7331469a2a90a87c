"""Spans that people have excluded: they neither train nor judge, and nothing is compared with them.

The store keeps every decision as a numbered record with its reason, its author and its time, so that runs on any
machine or target see the same spans, and an inclusion does not erase why a span was excluded before.
"""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass

from ..errors import RetrainerError
from ..moments import now_text
from ..numbered_records import NumberedRecord, NumberedRecords
from ..record_format import check_format
from ..store import Store

FORMAT = 1
# Two people at once are rare, and a third try for one of them is not needed.
_TRIES = 5


@dataclass(frozen=True)
class Exclusion:
    """Why a span is excluded.

    Attributes:
        span: The span's name.
        why: The reason, in the words of whoever excluded it.
        who: Who excluded it.
        when: When, in ISO 8601, UTC.
    """

    span: str
    why: str
    who: str
    when: str

    @property
    def words(self) -> str:
        """The exclusion in a few words."""
        return f"{self.span} ({self.why})"


def read_exclusions(store: str) -> dict[str, Exclusion]:
    """Read which spans are excluded.

    Args:
        store: URI of the store.

    Raises:
        RetrainerError: If a newer retrainer wrote the record.
    """
    records = NumberedRecords(Store(store).exclusions_uri)
    return _exclusions(records, records.newest())


def exclude(store: str, span: str, why: str, who: str) -> Exclusion:
    """Exclude a span; one that is excluded already gets the new reason.

    Args:
        store: URI of the store.
        span: The span's name.
        why: The reason.
        who: Who excludes it.

    Raises:
        RetrainerError: If other writers were faster every time.
    """
    one = Exclusion(span, why, who, now_text())

    def change(known: dict[str, Exclusion]) -> dict[str, Exclusion]:
        return {**known, span: one}

    _rewrite(store, "exclude", one, change)
    return one


def include(store: str, span: str, who: str) -> Exclusion:
    """Include a span again.

    Args:
        store: URI of the store.
        span: The span's name.
        who: Who includes it.

    Returns:
        Why it was excluded.

    Raises:
        RetrainerError: If it is not excluded, or other writers were faster every time.
    """
    excluded = read_exclusions(store)
    if span not in excluded:
        there = ", ".join(excluded) or "none"
        raise RetrainerError(f"span '{span}' is not excluded in '{store}'. Excluded: {there}.")
    now = now_text()

    def change(known: dict[str, Exclusion]) -> dict[str, Exclusion]:
        return {name: exclusion for name, exclusion in known.items() if name != span}

    _rewrite(store, "include", Exclusion(span, excluded[span].why, who, now), change)
    return excluded[span]


def _exclusions(records: NumberedRecords, newest: NumberedRecord | None) -> dict[str, Exclusion]:
    if newest is None:
        return {}
    check_format(newest.content, FORMAT, f"record {newest.number} in '{records.uri}'")
    with records.reading(newest):
        found = [Exclusion(**one) for one in newest.content["excluded"]]
    return {exclusion.span: exclusion for exclusion in found}


def _rewrite(
    store: str,
    what: str,
    decision: Exclusion,
    change: Callable[[dict[str, Exclusion]], dict[str, Exclusion]],
) -> None:
    records = NumberedRecords(Store(store).exclusions_uri)
    for _ in range(_TRIES):
        newest = records.newest()
        excluded = change(_exclusions(records, newest))
        content = {
            "format": FORMAT,
            "id": uuid.uuid4().hex,
            "change": {"what": what, **asdict(decision)},
            "excluded": [asdict(exclusion) for exclusion in excluded.values()],
        }
        if records.append(content, newest) is not None:
            return
    raise RetrainerError(
        f"the excluded spans in '{records.uri}' were changed by others {_TRIES} times meanwhile. Try again."
    )
