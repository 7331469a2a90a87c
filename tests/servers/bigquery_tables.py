"""Tables as BigQuery describes and restricts them: partitions, types of columns, conditions on rows."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

PARTITION_FORMATS = {"YEAR": "%Y", "MONTH": "%Y%m", "DAY": "%Y%m%d", "HOUR": "%Y%m%d%H"}
CONDITION = re.compile(
    r"`?(?P<column>\w+)`? (?P<sign>>=|<) (?:(?P<kind>[A-Z]+) \"(?P<text>[^\"]+)\"|(?P<number>-?\d+))"
)


@dataclass
class Table:
    """A table.

    Attributes:
        rows: Its rows.
        kind: What the service calls it.
        period: `DAY` and so on, of a table that is partitioned by time.
        column: The column that it is partitioned by; with a period and no column, it is by `ingested`.
        interval: Of a table that is partitioned by ranges of a number.
        ingested: When each row came, in UTC.
        modified: When its rows last changed.
        streaming: How many of the rows are still in the streaming buffer, by the service's estimate.
    """

    rows: pa.Table
    kind: str = "TABLE"
    period: str = ""
    column: str = ""
    interval: int = 0
    ingested: pa.Array | None = None
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    streaming: int = 0

    def partition_ids(self) -> list[str]:
        """Name each row's partition."""
        if self.interval:
            values = self.rows[self.column].to_pylist()
            return [
                "__NULL__" if value is None else str(value // self.interval * self.interval)
                for value in values
            ]
        moments = self.rows[self.column] if self.column else self.ingested
        assert moments is not None
        form = PARTITION_FORMATS[self.period]
        return [
            "__NULL__" if value is None else value.strftime(form) for value in moments.to_pylist()
        ]


def read_value(match: re.Match[str]) -> Any:
    if match["number"]:
        return int(match["number"])
    if match["kind"] == "DATE":
        return date.fromisoformat(match["text"])
    return datetime.fromisoformat(match["text"])


def describe_column(column: pa.Field) -> dict[str, Any]:
    kind, mode = column.type, "NULLABLE"
    if pa.types.is_list(kind):
        kind, mode = kind.value_type, "REPEATED"
    about: dict[str, Any] = {"name": column.name, "mode": mode}
    if pa.types.is_struct(kind):
        return {**about, "type": "RECORD", "fields": [describe_column(one) for one in kind]}
    names = {
        pa.types.is_boolean: "BOOLEAN",
        pa.types.is_integer: "INTEGER",
        pa.types.is_floating: "FLOAT",
        pa.types.is_decimal128: "NUMERIC",
        pa.types.is_decimal256: "BIGNUMERIC",
        pa.types.is_date: "DATE",
        pa.types.is_time: "TIME",
        pa.types.is_binary: "BYTES",
        pa.types.is_string: "STRING",
        pa.types.is_null: "STRING",
    }
    if pa.types.is_timestamp(kind):
        return {**about, "type": "TIMESTAMP" if kind.tz else "DATETIME"}
    return {**about, "type": next(name for test, name in names.items() if test(kind))}
