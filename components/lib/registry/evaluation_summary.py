"""The metrics of a model by slice, as the registry keeps them and services and model cards show them.

evaluate_model writes them beside its blessing, and push_model keeps them with the version. A blessing or a version from
before they were written has none.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import RetrainerError
from ..record_fields import known_fields
from ..record_format import check_format
from ..uris import join, read_json, write_json

EVALUATION_FILE = "evaluation.json"
FORMAT = 1
MOST_SLICES = 1_000


@dataclass(frozen=True)
class SliceMetrics:
    """Metrics of one slice.

    Attributes:
        slice: Value by column; empty for all rows.
        metrics: Value by the metric's name in TFMA.
        rows: Number of rows in the slice; None if it was not counted.
        champion: The metrics of the champion on the same rows; empty if it was not compared there.
        intervals: Lower and upper bound of each metric that has a confidence interval.
    """

    slice: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    rows: int | None = None
    champion: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The slice in words, such as `carrier = UA`."""
        return ", ".join(f"{column} = {value}" for column, value in self.slice.items()) or "overall"


@dataclass(frozen=True)
class EvaluationSummary:
    """What the gate measured.

    Attributes:
        slices: The metrics by slice, all rows first.
        left_out: Number of slices beyond `MOST_SLICES`, which are not here.
        verdict: The gate's verdict in one sentence; empty if unknown.
        champion_version: Version of the champion that the model was compared with; None for none.
    """

    slices: tuple[SliceMetrics, ...] = ()
    left_out: int = 0
    verdict: str = ""
    champion_version: int | None = None

    @property
    def overall(self) -> SliceMetrics:
        """The metrics on all rows; without any if nothing was recorded."""
        return self.slices[0] if self.slices else SliceMetrics({})

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, with at most `MOST_SLICES` slices."""
        kept = self.slices[:MOST_SLICES]
        left_out = self.left_out + len(self.slices) - len(kept)
        return {
            "format": FORMAT,
            **asdict(self),
            "slices": [asdict(slice_metrics) for slice_metrics in kept],
            "left_out": left_out,
        }

    def write(self, folder: str) -> None:
        """Write it into a folder, as `evaluation.json`."""
        write_json(join(folder, EVALUATION_FILE), self.to_json())

    @classmethod
    def read(cls, folder: str) -> "EvaluationSummary":
        """Read it from a folder.

        Returns:
            What is recorded there; an empty one if there is no such file.

        Raises:
            RetrainerError: If the file has another format, or is damaged.
        """
        uri = join(folder, EVALUATION_FILE)
        try:
            content = read_json(uri)
        except FileNotFoundError:
            return cls()
        check_format(content, FORMAT, f"'{uri}'")
        try:
            values = known_fields(cls, content)
            slices = tuple(_slice(slice_metrics) for slice_metrics in values.get("slices", ()))
            return cls(**{**values, "slices": slices})
        except (TypeError, ValueError) as error:
            raise RetrainerError(
                f"'{uri}' is not what retrainer writes there: {error}. Restore it from a copy, or delete it: the "
                "version is shown without its metrics then."
            ) from error


def _slice(content: Any) -> SliceMetrics:
    values = known_fields(SliceMetrics, content)
    intervals = {name: (low, high) for name, (low, high) in values.get("intervals", {}).items()}
    return SliceMetrics(**{**values, "intervals": intervals})
