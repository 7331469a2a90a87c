"""Spans of small, odd data, and a chain of components that takes them."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.source_rows.csv_options import parse_csv_options
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.statistics.statistics_artifact import (
    features_by_name,
    read_statistics,
)
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.validate import validate

HEADER = "id,city,amount,label\n"
ROWS = 200


def good(seed: int, cities=("Ulm", "Bonn", "Kiel")) -> str:
    """A span's rows as CSV, different for each seed."""
    r = random.Random(seed)
    return HEADER + "".join(
        f"{seed * 1_000 + i},{r.choice(cities)},{r.random() * 10:.2f},{i % 2}\n"
        for i in range(ROWS)
    )


def table(seed: int, **columns: pa.Array) -> pa.Table:
    ids = range(seed * 1_000, seed * 1_000 + ROWS)
    return pa.table({"id": ids, "label": [i % 2 for i in range(ROWS)], **columns})


def cycle(*cells: object, type: pa.DataType | None = None) -> pa.Array:
    return pa.array([cells[i % len(cells)] for i in range(ROWS)], type)


@dataclass
class Chain:
    """A project of three spans, the newest for evaluation, and what its components make of them."""

    home: Path
    verdict: str = ""
    findings: list[dict] = field(default_factory=list)

    @property
    def eval(self) -> pa.Table:
        return Examples.read(self.home / "examples").read_table("eval")

    def write(self, spans, ending="csv"):
        (self.home / "in").mkdir(exist_ok=True)
        for number, content in enumerate(spans, 1):
            path = self.home / "in" / f"{number}.{ending}"
            if isinstance(content, pa.Table):
                pq.write_table(content, path)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def ingest(self, *spans, ending="csv", options=None, **settings):
        """Ingest spans; the last is the newest."""
        self.write(spans, ending)
        if options:
            settings["source"] = SourceOptions(**parse_csv_options(options))
        self.verdict = ingest(
            str(self.home / "in" / f"{{span}}.{ending}"),
            str(self.home / "store"),
            IngestSettings("label", **settings),
            str(self.home / "examples"),
        ).verdict
        return self

    def compute(self):
        compute(
            str(self.home / "examples"),
            str(self.home / "statistics"),
            str(self.home / "statistics.html"),
        )
        return self

    def feature(self, name, folder="Split-eval"):
        statistics = read_statistics(self.home / "statistics", folder)
        return features_by_name(statistics)[name]

    def judge(self, **settings):
        """Compute statistics, and validate them; what is found is in `findings`."""
        self.compute()
        try:
            validate(
                str(self.home / "statistics"),
                str(self.home / "store"),
                parse_settings(**settings),
                str(self.home / "anomalies"),
                str(self.home / "schema"),
                str(self.home / "validation.html"),
                examples_path=str(self.home / "examples"),
            )
        finally:
            self.findings = json.loads((self.home / "anomalies" / "anomalies.json").read_text())
        return self

    @property
    def quarantined(self):
        """The unreadable rows of the newest span, as they are kept."""
        newest = Examples.read(self.home / "examples").splits["eval"][0]
        lines = Path(newest.uri, "unreadable.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def refuses(self, *spans, says, **settings):
        """Ingest spans of which the last can't be used, and see that nothing of it is stored."""
        with pytest.raises(RetrainerError, match=says) as error:
            self.ingest(*spans, **settings)
        assert len(str(error.value)) < 700
        span = self.home / "store" / "spans" / str(len(spans))
        assert not span.exists() or list(span.iterdir()) == []


ONE, TWO, THREE = good(1), good(2), good(3)


def parquet(content: pa.Table, start: int = 0, end: int | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(content, sink)
    return sink.getvalue().to_pybytes()[start:end]
