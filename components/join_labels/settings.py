"""How labels are read, and which of them belong to which prediction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..lib.digests import digest_value
from ..lib.errors import RetrainerError
from ..lib.source_rows.sources.options import SourceOptions

REQUEST_KEY = ("request_id", "row")
"""The key by which a label names the request that was answered, and the row in it."""
# Part of every set's version: raised when other files would be written of the same predictions and labels.
JOIN_VERSION = 1


@dataclass(frozen=True)
class LabelSettings:
    """The settings of joining.

    Attributes:
        pattern: Where the labels are: files or tables, with or without `{span}`; empty: the ingested spans of the
            training data.
        label: Column of the label.
        key: Columns that labels and predictions share.
        labelled_at: Column that says when a label was known; empty for none.
        weight: Column that weighs the rows, as in evaluation, among the labels or the predictions; empty for none.
        columns: Columns of the labels under another name, and columns made of others, as `data.columns`.
        types: Types of columns of the labels: `integer`, `number` or `text`.
        hash: Private columns, which the predictions have as keyed hashes.
        hash_key_env: Environment variable that holds the key.
        hash_key_file: File that holds it; empty for none.
        source: How files and tables are read.
        compare: Columns of the predictions whose values are compared between rows with and without a label, beside the
            prediction.
        horizon_seconds: How long after its end a span is joined again when labels come.
        clock_seconds: How much older than its prediction a label may be, by clocks that differ.
    """

    pattern: str
    label: str
    key: tuple[str, ...] = REQUEST_KEY
    labelled_at: str = ""
    weight: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    hash: tuple[str, ...] = ()
    hash_key_env: str = "RETRAINER_HASH_KEY"
    hash_key_file: str = ""
    source: SourceOptions = field(default_factory=SourceOptions)
    compare: tuple[str, ...] = ()
    horizon_seconds: int = 30 * 24 * 3600
    clock_seconds: int = 300

    @property
    def by_request(self) -> bool:
        """Whether a label names the request that was answered."""
        return "request_id" in self.key

    @property
    def private_key(self) -> tuple[str, ...]:
        """The private columns of the key."""
        return tuple(name for name in self.key if name in self.hash)

    def check(self) -> None:
        """Check them.

        Raises:
            RetrainerError: If one is wrong.
        """
        if not self.label:
            raise RetrainerError(
                "no label is named: give the column that holds it (monitoring.labels.label, or data.label)."
            )
        if not self.key:
            raise RetrainerError(
                "the key of the labels is empty, so no label finds its prediction. Name the columns that labels and "
                "predictions share (monitoring.labels.key, or data.key)."
            )
        if self.label in self.key:
            raise RetrainerError(
                f"the label '{self.label}' can't be part of its key (monitoring.labels.key)."
            )

    def read_hash_key(self) -> bytes:
        """Read the key of private columns; empty if the labels' key has none."""
        from ..lib.source_rows.pseudonymize import read_key

        return read_key(self.hash_key_env, self.hash_key_file) if self.private_key else b""

    def digest(self, hash_key: bytes) -> str:
        """Digest the settings that change what is joined.

        Args:
            hash_key: The key of private columns; the digest does not reveal it.
        """
        from ..lib.source_rows.pseudonymize import key_digest

        return digest_value(
            [
                JOIN_VERSION,
                self.label,
                list(self.key),
                self.labelled_at,
                self.weight,
                dict(self.columns),
                dict(self.types),
                list(self.private_key),
                key_digest(hash_key) if hash_key else "",
                list(self.compare),
                self.clock_seconds,
            ]
        )
