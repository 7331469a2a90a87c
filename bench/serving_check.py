"""What the serving check costs and finds: CPU time, latency by batch, and the smallest leak that it refuses.

`python bench/serving_check.py` checks small models in clean processes: one that keeps nothing, and caches that are
never emptied, by the bytes that they keep of a request. It prints a table; the exit code says whether a kilobyte is
found.
"""

import os
import resource
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from retrainer.components.check_serving.check import check
from retrainer.components.lib.examples import Examples, SpanPart
from retrainer.components.lib.verdicts import ServingCheck

OUT = Path(__file__).parent / "out" / "serving_check"
COLUMNS, ROWS = 6, 10_000
KEPT_BYTES = (0, 64, 256, 1024, 4096)
BOUND = 1024


def main() -> int:
    """Check each model, and print the table."""
    shutil.rmtree(OUT, ignore_errors=True)
    examples = write_examples(OUT)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    print(
        "| kept of a request | CPU seconds | requests | growth | serves | p50, p95, p99 of 1 row | of 512 rows |"
    )
    print("|---|---|---|---|---|---|---|")
    found = {}
    for kept in KEPT_BYTES:
        model = save_model(OUT / f"model-{kept}", kept)
        before = cpu_seconds()
        check(model, examples, str(OUT / f"check-{kept}"))
        spent = cpu_seconds() - before
        result = ServingCheck.read(str(OUT / f"check-{kept}"))
        found[kept] = not result.ok
        memory = result.memory_mb or {}
        print(
            f"| {kept:,} bytes | {spent:.2f} | {memory.get('requests', 0):,.0f} | {memory.get('growth', 0):.2f} MiB | "
            f"{'yes' if result.ok else 'no'} | {milliseconds(result, '1')} | {milliseconds(result, '512')} |",
            flush=True,
        )
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")
    return 0 if found[BOUND] and not found[0] else 1


def milliseconds(result: ServingCheck, batch: str) -> str:
    """Format the percentiles of a batch size."""
    return ", ".join(f"{value:.2f}" for value in result.latency_ms_by_batch[batch].values()) + " ms"


def cpu_seconds() -> float:
    """Return the CPU time of this process and of all that it has waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def write_examples(folder: Path) -> str:
    """Write an evaluation span of random numbers, and return the examples artifact."""
    random = np.random.default_rng(0)
    span = folder / "span"
    span.mkdir(parents=True)
    columns = {name: random.normal(size=ROWS) for name in names()}
    pq.write_table(pa.table({**columns, "label": np.zeros(ROWS, np.int64)}), span / "all.parquet")
    part = SpanPart("1", str(span), "all", ROWS, ("all.parquet",))
    Examples("label", {"train": (), "eval": (part,)}, ("1",), versions={"1": "1"}).write(
        folder / "examples"
    )
    return str(folder / "examples")


def save_model(folder: Path, kept: int) -> str:
    """Export a model of two dense layers that keeps so many bytes of each request."""
    random = np.random.default_rng(1)
    module: Any = tf.Module()
    module.first = tf.Variable(random.normal(size=(COLUMNS, 64)).astype("float32"))
    module.second = tf.Variable(random.normal(size=(64, 1)).astype("float32"))
    if kept:
        module.cache = tf.lookup.experimental.MutableHashTable(
            tf.int64, tf.float32, [0.0] * (kept // 4)
        )

    def predict(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        given = tf.stack([columns[name] for name in names()], axis=1)
        known = tf.where(tf.math.is_nan(given), 0.0, given)
        output = tf.sigmoid(tf.nn.relu(known @ module.first) @ module.second)
        if not kept:
            return {"predictions": output}
        key = tf.random.uniform([1], 0, 1 << 60, tf.int64)
        inserted = module.cache.insert(key, tf.zeros([1, kept // 4]))
        with tf.control_dependencies([inserted] if inserted is not None else []):
            return {"predictions": tf.identity(output)}

    feature = tf.io.FixedLenFeature([], tf.float32, float("nan"))
    module.named = tf.function(lambda **columns: predict(columns))
    module.parsed = tf.function(
        lambda examples: predict(tf.io.parse_example(examples, dict.fromkeys(names(), feature))),
        [tf.TensorSpec([None], tf.string, "examples")],
    )
    specs = {name: tf.TensorSpec([None], tf.float32, name) for name in names()}
    signatures = {
        "serving_default": module.named.get_concrete_function(**specs),
        "serving_tf_examples": module.parsed,
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return str(folder)


def names() -> list[str]:
    """Return the model's columns."""
    return [f"x{number}" for number in range(COLUMNS)]


if __name__ == "__main__":
    raise SystemExit(main())
