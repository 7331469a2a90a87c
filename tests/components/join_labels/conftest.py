"""A store with predictions, and labels for them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.join_labels.join import Joined, join_labels
from retrainer.components.join_labels.settings import LabelSettings
from retrainer.components.lib.predictions.joined_sets import JoinedSet
from retrainer.components.lib.predictions.joined_table import LABEL, read_joined
from retrainer.components.lib.predictions.prediction_sets import RECORD_FILE
from retrainer.components.lib.predictions.prediction_table import make_rows, table_schema
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_json

DAY = datetime(2026, 3, 1, tzinfo=UTC)
NOW = DAY + timedelta(days=2)


class Project:
    """A store with predictions of days, and a folder of labels."""

    def __init__(self, folder: Path) -> None:
        self.store = str(folder / "store")
        self.labels = folder / "labels"
        self.labels.mkdir()

    def predict(
        self,
        day: int,
        requests: Sequence[str],
        scores: Sequence[float] | None = None,
        *,
        version: str = "one",
        row: Sequence[int] | None = None,
        at: Sequence[datetime] | None = None,
        **options: Any,
    ) -> str:
        """Write the predictions of a day, and return the span's name."""
        span = f"{DAY + timedelta(days=day):%Y-%m-%d}"
        count = len(requests)
        inputs = pa.table(
            {
                "flight": options.pop("flight", list(requests)),
                "distance": np.arange(count, dtype=float),
                "carrier": [f"c{number % 3}" for number in range(count)],
            }
        )
        values = np.asarray(scores if scores is not None else np.full(count, 0.5), np.float32)
        schema = table_schema(inputs.schema, 1, ["distance", "carrier"], ["flight"])
        noon = DAY + timedelta(days=day, hours=12)
        rates = options.pop("rates", None)
        variant = options.pop("variant", "stable")
        table = make_rows(
            schema, inputs, values, request_id="", rows=np.asarray(row or [0] * count),
            model_version=options.pop("model", 3), variant=variant,
            occurred_at=pa.array(at or [noon] * count, pa.timestamp("us", "UTC")), **options,
        )  # fmt: skip
        table = table.set_column(0, schema.field(0), pa.array(list(requests), pa.string()))
        if rates is not None:
            place = table.schema.get_field_index("sample_rate")
            table = table.set_column(place, schema.field(place), pa.array(rates, pa.float64()))
        home = Path(Store(self.store).predictions_of_span_uri(span), version)
        home.mkdir(parents=True)
        pq.write_table(table.slice(0, count // 2), home / "part-00000.parquet")
        pq.write_table(table.slice(count // 2), home / "part-00001.parquet")
        record = {
            "format": 1, "span": span, "version": version, "rows": count, "errors": 0,
            "model_version": 3, "files": ["part-00000.parquet", "part-00001.parquet"],
            "model_digest": "ab", "scored": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        write_json(f"{home}/{RECORD_FILE}", record)
        return span

    def label(self, name: str, rows: Sequence[dict[str, Any]] | str) -> Path:
        """Write a file of labels."""
        path = self.labels / name
        text = rows if isinstance(rows, str) else "".join(json.dumps(one) + "\n" for one in rows)
        path.write_text(text)
        return path

    def join(self, pattern: str = "*.jsonl", *, now: datetime = NOW, **settings: Any) -> Joined:
        """Join."""
        most_rows = settings.pop("most_rows", 20_000_000)
        where = str(self.labels / pattern) if pattern else ""
        values = {"label": "late", **settings}
        return join_labels(self.store, LabelSettings(where, **values), now=now, most_rows=most_rows)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without predictions and labels."""
    return Project(tmp_path)


def labels_of(found: JoinedSet) -> dict[str, float]:
    """Read the label of each request of a set."""
    rows = [row for batch in read_joined(found, ["request_id", LABEL]) for row in batch.to_pylist()]
    return {row["request_id"]: row[LABEL] for row in rows}
