"""What is judged, and the judgement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.statistics import SPLIT_WORDS, Statistics, StatisticsIndex, span_folder, split_folder
from ..lib.words import name_spans
from .drift import Distance
from .findings import Finding


@dataclass(frozen=True)
class Window:
    """The statistics of a window.

    Attributes:
        index: What they are of.
        splits: By split.
        spans: By span, oldest first.
        before: Of the spans before a span, for each span but the first.
    """

    index: StatisticsIndex
    splits: Mapping[str, Statistics]
    spans: Mapping[str, Statistics]
    before: Mapping[str, Statistics]

    @property
    def earlier(self) -> Statistics | None:
        """Statistics of all spans but the newest; None if there is one span."""
        return self.before.get(self.index.newest)


@dataclass(frozen=True)
class Place:
    """Statistics to validate.

    Attributes:
        folder: Where they lie in the artifact.
        statistics: Of some of the window's rows.
        name: What to call them, such as `evaluation (2013-05)`.
    """

    folder: str
    statistics: Statistics
    name: str


def list_places(window: Window) -> list[Place]:
    """List what to validate of a window: training first, the newest span last."""
    index = window.index
    places = [
        Place(split_folder(split), window.splits[split], f"{name} ({_range(index, split)})")
        for split, name in SPLIT_WORDS.items()
    ]
    if index.split_spans["eval"] != (index.newest,):
        newest = window.spans[index.newest]
        places.append(Place(span_folder(index.newest), newest, f"span {index.newest}"))
    return places


@dataclass
class Judgement:
    """What was found in a window.

    Attributes:
        findings: Errors first.
        drift: How far each column of the newest span is from the earlier spans.
        skew: How far each column of the training rows is from the evaluation rows; where that is the same as drift,
            of the columns alone for which somebody set a threshold.
        usual: How far each column of an earlier span usually was from the spans before it.
        history: How far each column of a span is from the spans before it, for each span but the first.
        schema_note: Where the schema comes from.
        used_schema: The schema with the settings' domains and all thresholds in it.
    """

    findings: Sequence[Finding]
    drift: Mapping[str, Distance]
    skew: Mapping[str, Distance]
    usual: Mapping[str, float | None]
    history: Sequence[Mapping[str, Distance]]
    schema_note: str
    used_schema: schema_pb2.Schema

    @property
    def drifted(self) -> list[str]:
        """The columns that drifted."""
        return [finding.column for finding in self.findings if finding.kind == "drift"]


def _range(index: StatisticsIndex, split: str) -> str:
    return name_spans(index.split_spans[split])
