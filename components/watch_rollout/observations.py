"""What both versions of a rollout answered: rows of the tables of predictions, each counted once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.json as pa_json
import pyarrow.parquet as pa_parquet

from ..lib.canonical_text import distinct_texts
from ..lib.predictions.prediction_table import BATCH
from ..lib.text_times import read_times
from ..lib.uris import filesystem, is_local

# A file that was written before the rollout began has no row of it; clocks of machines differ.
_CLOCK_SECONDS = 3600
_MODIFIED = ("mtime", "LastModified", "updated", "last_modified")
_OWN = ("request_id", "row", "occurred_at", "model_version", "variant", "status", "sample_rate")
_VARIANTS = {"stable": 0, "canary": 1, "shadow": 1}
WITHOUT_TIME, WITHOUT_REQUEST = "without occurred_at", "without request_id"
"""Reasons for which new rows are left out that are faults of the log."""
_ID, _NEW, _ARM = "_id", "_new", "arm"


@dataclass(frozen=True)
class Reading:
    """What is read, and what was read before.

    Attributes:
        pattern: URI pattern of the files.
        began: When the rollout began; earlier rows and files are left out.
        seen: How many rows of each file were counted already, and a digest of its first row, by which a file is found
            again that was renamed.
        columns: Columns beside those that every table of predictions has.
        identity: Columns that the digest is of.
    """

    pattern: str
    began: datetime
    seen: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    identity: tuple[str, ...] = ("request_id", "row")


@dataclass(frozen=True)
class Observations:
    """Rows of a look.

    Attributes:
        rows: Every row of the rollout in time: the table's columns, `arm` (0 the baseline, 1 the canary), `time` (in
            seconds), and `_new`, whether it was not counted before.
        seen: The same as in `Reading`, after this one.
        unreadable: Why files were left out, by their names; they are read at the next look.
        left_out: How many new rows were not used, by the reason.
    """

    rows: pd.DataFrame
    seen: dict[str, Sequence[Any]]
    unreadable: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


def read_observations(reading: Reading, baseline: int | None, canary: int) -> Observations:
    """Read the rows of a rollout.

    A row that stands in two files, or twice in one, is one row: by its request and its place in it. If new rows were
    sampled at different rates, those of the larger rates are thinned to the smallest, by a hash of the request: so
    that a log which keeps every failure and a tenth of the rest does not look like one of many failures.

    Args:
        reading: What is read.
        baseline: Number of the version that served before.
        canary: Number of the version that is rolled out.
    """
    wanted = (*_OWN, "latency_ms", *reading.columns)
    table, seen, unreadable = _read_files(reading, wanted)
    if table.empty:
        table = pd.DataFrame({name: [] for name in wanted}).assign(**{_NEW: np.zeros(0, bool)})
    total = int(table[_NEW].sum())
    version = pd.to_numeric(table["model_version"], errors="coerce")
    arm = np.select([version == baseline, version == canary], [0.0, 1.0], np.nan)
    by_name = table["variant"].map(_VARIANTS).to_numpy(np.float64)
    table[_ARM] = np.where(version.isna(), by_name, arm)
    time = read_times(table["occurred_at"])
    table["time"] = (time - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    left_out = {
        "of another version": _count(table, table[_ARM].isna() | (table["variant"] == BATCH)),
        WITHOUT_TIME: _count(table, table["time"].isna()),
        WITHOUT_REQUEST: _count(table, table["request_id"].isna()),
        "before the rollout": _count(table, table["time"] < reading.began.timestamp()),
    }
    inside = table[_ARM].notna() & (table["variant"] != BATCH) & table["request_id"].notna()
    table = table[inside & (table["time"] >= reading.began.timestamp())].copy()
    row = pd.to_numeric(table["row"], errors="coerce").fillna(0).astype(int).astype(str)
    table[_ID] = key_text(table["request_id"]) + "/" + row
    before = int(table[_NEW].sum())
    table = table.sort_values([_NEW, "time"], kind="stable").drop_duplicates(_ID)
    left_out["seen before"] = before - int(table[_NEW].sum())
    table, thinned = _thin(table)
    left_out["sampled at a larger rate"] = thinned
    table[_ARM] = table[_ARM].astype(int)
    left_out = {why: count for why, count in left_out.items() if count} if total else {}
    return Observations(
        table.sort_values("time", kind="stable").reset_index(drop=True), seen, unreadable, left_out
    )


def read_labels(reading: Reading) -> Observations:
    """Read the tables of labels; `rows` has the columns asked for, and whether each was not counted before."""
    table, seen, unreadable = _read_files(reading, reading.columns, since=False)
    if table.empty:
        table = pd.DataFrame({name: [] for name in (*reading.columns, _NEW)})
    return Observations(table, seen, unreadable)


def key_text(values: pd.Series) -> pd.Series:
    """Return the text of each cell, the same whether a file has it as 7, 7.0 or "7"; empty where it is missing."""
    try:
        texts, which = distinct_texts(pa.array(values, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return values.astype(str)
    # A null's index is -1.
    known = np.array([*("" if text is None else text.decode() for text in texts), ""], object)
    return pd.Series(known[which], values.index, object)


def requests_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each request: it failed if a row of it did, and took as long as its slowest."""
    rows = rows.assign(failed=(rows["status"] != "ok").astype(float))
    latency = pd.to_numeric(rows["latency_ms"], errors="coerce")
    grouped = rows.assign(latency_ms=latency).groupby("request_id", sort=False)
    found = grouped.agg(
        arm=(_ARM, "first"),
        time=("time", "first"),
        failed=("failed", "max"),
        latency_ms=("latency_ms", "max"),
        _new=(_NEW, "all"),
    )
    return found[found[_NEW]].sort_values("time", kind="stable").reset_index()


def _count(table: pd.DataFrame, mask: Any) -> int:
    return int((mask & table[_NEW]).sum())


def _thin(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    rates = pd.to_numeric(table["sample_rate"], errors="coerce").fillna(1.0).clip(1e-9, 1.0)
    new = table[_NEW]
    if not new.any() or rates[new].min() == rates[new].max():
        return table, 0
    chance = rates[new].min() / rates
    drawn = pd.util.hash_pandas_object(table["request_id"].astype(str), index=False) / 2.0**64
    dropped = new & (drawn >= chance)
    return table[~dropped].copy(), int(dropped.sum())


def _read_files(
    reading: Reading, columns: Sequence[str], since: bool = True
) -> tuple[pd.DataFrame, dict[str, Sequence[Any]], dict[str, str]]:
    fs, pattern = filesystem(reading.pattern)
    if not is_local(reading.pattern):
        fs.invalidate_cache()
    found = fs.glob(pattern, detail=True)
    frames: list[tuple[str, pd.DataFrame]] = []
    unreadable: dict[str, str] = {}
    for path, about in sorted(found.items()):
        if about.get("type") == "directory" or (since and _is_older(about, reading.began)):
            continue
        try:
            table = _read_file(fs, path, columns)
        # A writer may not be done, or have left half a file: what it holds counts when it can be read.
        except (pa.ArrowInvalid, OSError, ValueError) as error:
            unreadable[path] = str(error).splitlines()[0] if str(error) else type(error).__name__
            continue
        frame = pd.DataFrame(
            {
                name: table.column(name).to_pandas() if name in table.column_names else None
                for name in columns
            },
            index=range(table.num_rows),
        )
        if len(frame):
            frames.append((path, frame))
    seen = _mark_new(frames, reading)
    if not frames:
        return pd.DataFrame(), seen, unreadable
    rows = pd.concat([frame for _, frame in frames], ignore_index=True)
    return rows, seen, unreadable


def _mark_new(
    frames: Sequence[tuple[str, pd.DataFrame]], reading: Reading
) -> dict[str, Sequence[Any]]:
    """Mark the rows of each file that were not counted yet; return how many are now.

    A log that is rotated is renamed, and its name begins again.
    """
    digests = {path: _digest(frame, reading.identity) for path, frame in frames}
    known = {path: one for path, one in reading.seen.items() if digests.get(path) == one[1]}
    renamed = {one[1]: one[0] for path, one in reading.seen.items() if path not in known}
    seen: dict[str, Sequence[Any]] = {}
    for path, frame in frames:
        digest = digests[path]
        before = known[path][0] if path in known else renamed.pop(digest, 0)
        frame[_NEW] = np.arange(len(frame)) >= before
        seen[path] = [max(before, len(frame)), digest]
    # A file that can't be read or listed now may be there again at the next look.
    gone = {path: one for path, one in reading.seen.items() if path not in digests}
    return {**{path: one for path, one in gone.items() if one[1] in renamed}, **seen}


def _digest(frame: pd.DataFrame, identity: Sequence[str]) -> str:
    first = frame[list(identity)].iloc[:1]
    text = "\0".join(str(key_text(first[name]).iloc[0]) for name in identity)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _read_file(fs: Any, path: str, columns: Sequence[str]) -> pa.Table:
    with fs.open(path, "rb") as file:
        if path.endswith((".parquet", ".pq")):
            parquet = pa_parquet.ParquetFile(file)
            there = [name for name in columns if name in parquet.schema_arrow.names]
            return parquet.read(columns=there)
        text = file.read()
    # The last line may be half of one.
    whole = text[: text.rfind(b"\n") + 1]
    if not whole.strip():
        return pa.table({})
    return pa_json.read_json(pa.BufferReader(whole))


def _is_older(about: Mapping[str, Any], began: datetime) -> bool:
    modified = next((about[name] for name in _MODIFIED if about.get(name)), None)
    if modified is None:
        return False
    if isinstance(modified, str):
        modified = pd.Timestamp(modified).to_pydatetime()
    seconds = modified.timestamp() if isinstance(modified, datetime) else float(modified)
    return bool(seconds < began.timestamp() - _CLOCK_SECONDS)
