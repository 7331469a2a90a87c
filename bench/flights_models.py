"""Models of the flights' example that differ by their training seed alone, and flights to judge them on."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retrainer.components.lib.examples import EVAL, TRAIN, Examples, SpanPart
from retrainer.pipelines.examples.flights import data as flights_data

COLUMNS = {
    "carrier": "BYTES",
    "origin": "BYTES",
    "dest": "BYTES",
    "dep_delay": "FLOAT",
    "distance": "INT",
    "hour": "INT",
}
LABEL = "late"
CUSTOMER = "customer"
SLICING_SPECS: tuple[dict[str, Any], ...] = (
    {},
    {"feature_keys": ["carrier"]},
    {"feature_keys": ["origin"]},
)
TRAIN_MONTHS = (1, 2)
ROWS_PER_FILE = 1_048_576


def flights_of(months: Sequence[int]) -> pd.DataFrame:
    """Read the flights of some months that arrived."""
    flights = flights_data.read_flights().dropna(subset=[LABEL])
    kept = flights[flights["month"].isin(months)]
    return kept[[*COLUMNS, LABEL]].astype({LABEL: np.int64}).reset_index(drop=True)


def repeat_flights(flights: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    """Draw flights again, with delays and distances perturbed."""
    random = np.random.default_rng(seed)
    drawn = flights.iloc[random.integers(0, len(flights), rows)].reset_index(drop=True)
    drawn["dep_delay"] += random.integers(-5, 6, rows)
    drawn["distance"] = (drawn["distance"] + random.integers(-20, 21, rows)).clip(lower=1)
    return drawn


def draw_customers(rows: int, customers: int, seed: int) -> list[str]:
    """Draw a customer for each row; each has a row at least if there are enough rows."""
    random = np.random.default_rng(seed)
    numbers = (customers * random.random(rows) ** 1.5).astype(np.int64)
    numbers[: min(rows, customers)] = np.arange(min(rows, customers))
    return [f"customer {number:06d}" for number in numbers]


def write_span(folder: Path, span: str, flights: pd.DataFrame) -> SpanPart:
    """Write a span as `ingest_spans` does; a span that is there already grows by files."""
    place = folder / "spans" / span
    place.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(flights), ROWS_PER_FILE):
        name = f"all-{len(list(place.iterdir())):05d}.parquet"
        part = flights.iloc[start : start + ROWS_PER_FILE]
        part.to_parquet(place / name, index=False, row_group_size=65_536)
    return part_of(place)


def part_of(place: Path) -> SpanPart:
    """Describe a span that is written."""
    import pyarrow.parquet as pq

    files = sorted(place.iterdir())
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    return SpanPart(place.name, str(place), "all", rows, tuple(file.name for file in files))


def train_models(folder: Path, seeds: Sequence[int]) -> list[Path]:
    """Train the example's model once for each seed, on the same rows; what is there already stays.

    Returns:
        The folders of the SavedModels.
    """
    from retrainer.components.train_model.train import TrainSettings, train
    from retrainer.components.transform_features.transform import transform

    source = (Path(flights_data.__file__).parent / "model.py").read_text()
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        part = write_span(folder, "2013-01", flights_of(TRAIN_MONTHS))
        Examples(LABEL, {TRAIN: (part,), EVAL: ()}, (part.span,)).write(folder / "examples")
        (folder / "schema").mkdir()
        (folder / "schema" / "schema.pbtxt").write_text(
            "\n".join(
                f'feature {{ name: "{name}" type: {kind} presence {{ min_fraction: 1.0 }} }}'
                for name, kind in COLUMNS.items()
            )
        )
        transform(
            str(folder / "examples"), str(folder / "schema"), str(folder / "graph"), "", source
        )
        (folder / "complete").touch()
    models = []
    for seed in seeds:
        model = folder / f"model-{seed}"
        if not (model / "trained.json").exists():
            shutil.rmtree(model, ignore_errors=True)
            trained = train(
                str(folder / "examples"),
                str(folder / "graph"),
                str(model / "saved"),
                "",
                source,
                TrainSettings(epochs=4, seed=seed),
            )
            (model / "trained.json").write_text(json.dumps(trained.metrics))
        models.append(model / "saved")
    return models
