"""What is kept between looks at the realised quality of a champion: its baseline, its tests, and sums of recent spans.

Each span counts once. A record is the successor of the one that its writer read: of two looks at once one adds a span,
and the other takes what it added.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from ..digests import digest_value
from ..numbered_records import NumberedRecord, NumberedRecords
from ..record_format import check_format
from ..store import Store
from ..uris import join

FORMAT = 1


@dataclass(frozen=True)
class LossBaseline:
    """One loss on the rows that the model was judged on.

    Attributes:
        loss: Its name.
        slice: Value by column; empty for all rows.
        mean: Weighted mean.
        error: Standard error of the mean by its rows.
        variation: Standard deviation of the mean between spans that is assumed.
        rows: How many rows.
        cap: Losses above it count as this one.
        allowed: The mean that is allowed in service.
        alpha: Probability of a false alarm over all looks.
    """

    loss: str
    slice: Mapping[str, str]
    mean: float
    error: float
    variation: float
    rows: int
    cap: float
    allowed: float
    alpha: float

    @property
    def name(self) -> str:
        """Name of the signal: the loss, and its slice."""
        if not self.slice:
            return self.loss
        return (
            f"{self.loss} of {', '.join(f'{key} = {value}' for key, value in self.slice.items())}"
        )


@dataclass(frozen=True)
class LossSums:
    """Sums over the labelled rows of one span: of weights w and losses x.

    Attributes:
        rows: How many rows.
        w: Sum of w.
        wx: Sum of w·x.
        ww: Sum of w².
        wwx: Sum of w²·x.
        wwxx: Sum of w²·x².
    """

    rows: int = 0
    w: float = 0.0
    wx: float = 0.0
    ww: float = 0.0
    wwx: float = 0.0
    wwxx: float = 0.0

    def plus(self, other: "LossSums") -> "LossSums":
        """Return the sums over the rows of both."""
        return LossSums(
            self.rows + other.rows,
            self.w + other.w,
            self.wx + other.wx,
            self.ww + other.ww,
            self.wwx + other.wwx,
            self.wwxx + other.wwxx,
        )

    @property
    def mean(self) -> float | None:
        """Weighted mean; None without rows."""
        return self.wx / self.w if self.w else None

    @property
    def error(self) -> float:
        """Standard error of the mean, as of a ratio."""
        if not self.w:
            return 0.0
        mean = self.wx / self.w
        spread = self.wwxx - 2 * mean * self.wwx + mean * mean * self.ww
        return float(max(spread, 0.0) ** 0.5 / self.w)

    def content(self) -> list[float]:
        """Return the sums as JSON values."""
        return [self.rows, self.w, self.wx, self.ww, self.wwx, self.wwxx]

    @classmethod
    def of(cls, content: list[Any]) -> "LossSums":
        """Read what `content` returned."""
        return cls(int(content[0]), *(float(one) for one in content[1:]))


@dataclass(frozen=True)
class QualityRecord:
    """What is known of a champion's realised quality.

    Attributes:
        settings: Digest of what it was started with; other settings start it again.
        baselines: The losses that are tested.
        tests: State of each test, by name; see `SpanTest`.
        alarmed: The span at which each test found its bound exceeded, by name, while the newest spans are above it.
        spans: Version of the joined set that counted, by span.
        sums: Sums of the newest spans that counted, oldest first: `{"span": ..., "sums": {name: ...}}`.
        invalid: Rows of these spans whose label or prediction is none of the problem.
    """

    settings: str
    baselines: tuple[LossBaseline, ...] = ()
    tests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alarmed: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, str] = field(default_factory=dict)
    sums: tuple[Mapping[str, Any], ...] = ()
    invalid: int = 0

    def content(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {
            "format": FORMAT,
            "settings": self.settings,
            "baselines": [vars(baseline) for baseline in self.baselines],
            "tests": dict(self.tests),
            "alarmed": dict(self.alarmed),
            "spans": dict(self.spans),
            "sums": list(self.sums),
            "invalid": self.invalid,
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "QualityRecord":
        """Read what `content` returned.

        Raises:
            RetrainerError: If another release wrote it.
        """
        check_format(content, FORMAT, "the record of realised quality")
        return cls(
            content["settings"],
            tuple(LossBaseline(**one) for one in content["baselines"]),
            content["tests"],
            content["alarmed"],
            content["spans"],
            tuple(content["sums"]),
            int(content["invalid"]),
        )


class QualityRecords:
    """The records of one champion since it came into service."""

    def __init__(self, store: str, version: int, since: datetime) -> None:
        """Open them.

        Args:
            store: URI of the store.
            version: The champion's number.
            since: When it came into service: a version that serves again is tested from the beginning.
        """
        name = f"{version:06d}-{digest_value(since.isoformat())[:8]}"
        self._records = NumberedRecords(join(Store(store).quality_uri, name))
        self._newest: NumberedRecord | None = None

    def read(self) -> QualityRecord | None:
        """Read the newest record; None if there is none."""
        self._newest = self._records.newest()
        return None if self._newest is None else QualityRecord.of(self._newest.content)

    def append(self, record: QualityRecord) -> bool:
        """Write the successor of the record that was read; False if another writer was first."""
        content = {**record.content(), "id": uuid4().hex}
        written = self._records.append(content, self._newest)
        if written is None:
            return False
        self._newest = written
        return True


def without_test(record: QualityRecord, name: str, test: Mapping[str, Any]) -> QualityRecord:
    """Return a record whose test of a name begins again, without its alarm."""
    alarmed = {key: span for key, span in record.alarmed.items() if key != name}
    return replace(record, alarmed=alarmed, tests={**record.tests, name: test})
