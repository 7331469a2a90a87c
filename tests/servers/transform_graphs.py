"""The same analysis in this process and on Beam, over generated rows, and what differs."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrainer.components.lib.examples import Examples, SpanPart

BEAM = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]
WORDS = ["", "a", "b", "Ünï", "\N{SNOWMAN}", "two\nlines", "x" * 40, " ", "-1", "quote'\"", "a b c"]
SCHEMA = {
    "word": "BYTES",
    "group": "BYTES",
    "number": "FLOAT",
    "odd": "FLOAT",
    "constant": "FLOAT",
    "weight": "FLOAT",
    "whole": "INT",
    "huge": "INT",
    "outcome": "INT",
}


def make_rows(seed: int, rows: int) -> pa.Table:
    """Make rows with the values that analysers treat in their own ways."""
    chance = np.random.default_rng(seed)
    huge = chance.integers(-(2**63), 2**63 - 1, rows, dtype=np.int64)
    huge[: rows // 3] = chance.choice([2**63 - 1, -(2**63), 0, -1], rows // 3)
    odd = chance.normal(0, 1e6, rows)
    odd[chance.random(rows) < 0.3] = np.nan
    odd[chance.random(rows) < 0.05] = np.inf
    return pa.table(
        {
            # The more often the earlier, so that there are ties and rare words.
            "word": chance.choice(WORDS, rows, p=np.arange(len(WORDS), 0, -1) / 66),
            "group": chance.choice(["north", "south", "", "ost"], rows, p=[0.5, 0.3, 0.1, 0.1]),
            "number": chance.gamma(2, 3, rows).round(3),
            "odd": odd,
            "constant": np.full(rows, 3.25),
            "weight": chance.choice([0.5, 1.0, 2.0], rows),
            "whole": chance.integers(-5, 60, rows),
            "huge": huge,
            "outcome": chance.integers(0, 2, rows),
            "label": chance.integers(0, 2, rows),
        }
    )


def write_inputs(folder: Path, spans: Sequence[pa.Table], row_group: int = 700) -> tuple[str, str]:
    """Write spans with their manifest and schema, and return both folders."""
    parts = []
    for number, table in enumerate(spans):
        place = folder / "spans" / str(number)
        place.mkdir(parents=True)
        # Files of their own are batches of their own.
        names = [f"all-{start:07d}.parquet" for start in range(0, max(len(table), 1), row_group)]
        for name, start in zip(names, range(0, max(len(table), 1), row_group), strict=True):
            pq.write_table(table.slice(start, row_group), place / name)
        parts.append(SpanPart(str(number), str(place), "all", len(table), tuple(names)))
    Examples("label", {"train": tuple(parts), "eval": ()}, ("0",)).write(folder / "examples")
    features = "\n".join(
        f'feature {{ name: "{name}" type: {kind} presence {{ min_fraction: 1.0 }} }}'
        for name, kind in SCHEMA.items()
    )
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(features)
    return str(folder / "examples"), str(folder / "schema")


def find_differences(here: Path, on_beam: Path, rows: pa.Table, close: float = 0) -> list[str]:
    """Compare two transform graphs: their files of vocabularies, their schema, and what they make of rows.

    Args:
        here: One graph.
        on_beam: The other.
        rows: The rows.
        close: Relative and absolute difference that numbers may have.

    Returns:
        What differs, in words.
    """
    import tensorflow as tf
    import tensorflow_transform as tft

    found = []
    files = [_files(folder) for folder in (here, on_beam)]
    found += [f"only one has {name}" for name in files[0].keys() ^ files[1].keys()]
    found += [
        name for name in files[0].keys() & files[1].keys() if files[0][name] != files[1][name]
    ]
    made = []
    for folder in (here, on_beam):
        graph = tft.TFTransformOutput(str(folder))
        raw = {
            name: tf.constant(
                rows[name].to_numpy()[:, None]
                if spec.dtype != tf.string
                else [[word.encode()] for word in rows[name].to_pylist()],
                spec.dtype,
            )
            for name, spec in graph.raw_feature_spec().items()
        }
        made.append(graph.transform_raw_features(raw))
    for name in sorted(made[0].keys() | made[1].keys()):
        one, other = (np.asarray(_dense(features[name])) for features in made)
        if one.dtype == object or not close:
            same = np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        else:
            same = np.allclose(one, other, rtol=close, atol=close, equal_nan=True)
        if not same:
            found.append(f"{name}: {one[:5].tolist()} here, {other[:5].tolist()} on Beam")
    return found


def _dense(value: object) -> object:
    import tensorflow as tf

    return tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value


def _files(folder: Path) -> dict[str, bytes]:
    found = {}
    for place in (folder / "transform_fn" / "assets", folder / "transformed_metadata"):
        for file in sorted(place.glob("*")):
            content = file.read_bytes()
            found[file.name] = gzip.decompress(content) if file.suffix == ".gz" else content
    return found
