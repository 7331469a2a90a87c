"""Tables of predictions as servers log them, for tests of rollouts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet


class Answers:
    """Writes files of predictions and of labels into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.draw = np.random.default_rng(5)
        self.seconds = 0.0
        self._count = 0

    def now(self):
        """Return the time of the tests' clock, which is ahead of the machine's by `seconds`."""
        return datetime.now(UTC) + timedelta(seconds=self.seconds)

    def rows(self, version, rows, errors=0.0, *, latency=10.0, shift=0.0, after=1.0, variant=None):
        """Make rows of one version: a dictionary each."""
        first, self._count = self._count, self._count + rows
        moment = self.now() + timedelta(seconds=after)
        failed = self.draw.random(rows) < errors
        return [
            {
                "request_id": f"r{first + number}",
                "row": 0,
                "occurred_at": (moment + timedelta(microseconds=int(number))).isoformat(),
                "model_version": version,
                "variant": variant or "stable",
                "status": "error" if failed[number] else "ok",
                "sample_rate": 1.0,
                "latency_ms": float(latency * (1 + self.draw.random())),
                "prediction": float(self.draw.random() + shift),
                "carrier": "AB"[number % 2],
            }
            for number in range(rows)
        ]

    def write(self, name, *groups):
        """Write rows as one file, mixed in time: Parquet or JSON Lines by the name's ending."""
        timed = [group for group in groups if group and "occurred_at" in group[0]]
        if timed:
            first = min(datetime.fromisoformat(row["occurred_at"]) for g in timed for row in g)
            for group in timed:
                for number, row in enumerate(group):
                    moment = first + timedelta(seconds=number / len(group))
                    row["occurred_at"] = moment.isoformat()
        rows = [row for group in groups for row in group]
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".parquet"):
            table = pa.Table.from_pylist(rows)
            if "occurred_at" in table.column_names:
                times = pa.array(
                    [datetime.fromisoformat(row["occurred_at"]) for row in rows],
                    pa.timestamp("us", "UTC"),
                )
                at = table.column_names.index("occurred_at")
                table = table.set_column(at, "occurred_at", times)
            pa_parquet.write_table(table, file)
        else:
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return rows
