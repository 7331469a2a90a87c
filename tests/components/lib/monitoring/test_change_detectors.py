"""Detectors of change: exact values from the papers' formulas, river's own answers, and a state that goes on."""

import json
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
from servers import own_environment

from retrainer.components.lib.monitoring.change_detectors import Adwin, Ddm, PageHinkley

Detector = PageHinkley | Ddm | Adwin
MAKERS = [PageHinkley, Ddm, Adwin]
# River in an environment of its own. Its ADWIN forgets the whole window after a change; what is inside it drops the
# older part, as the paper has it.
RIVER = """
import json, sys
import numpy as np
from river import drift
from river.drift import binary

found = {}
for name, values in np.load(sys.argv[1]).items():
    detectors = {
        "PageHinkley": drift.PageHinkley(mode="up"),
        "Ddm": binary.DDM(),
        "Adwin": drift.ADWIN(),
    }
    found[name] = {}
    for of, detector in detectors.items():
        rows = []
        for row, value in enumerate(values.tolist()):
            if of == "Adwin":
                changed = detector._helper.update(value)
            else:
                detector.update(int(value) if of == "Ddm" else value)
                changed = detector.drift_detected
            if changed:
                rows.append(row)
        found[name][of] = rows
print(json.dumps(found))
"""


def step(before: float, after: float, rows: int = 4_000, seed: int = 1) -> np.ndarray:
    """Rows that are wrong with one probability, and after half of them with another."""
    random = np.random.default_rng(seed)
    shares = np.repeat([before, after], [rows // 2, rows - rows // 2])
    return (random.random(rows) < shares).astype(np.float64)


def rows_of(found: list[int] | list) -> list[int]:
    return [one if isinstance(one, int) else one.row for one in found]


@pytest.mark.parametrize("make", MAKERS)
def test_rows_in_one_call_or_in_many_with_the_state_kept_as_json(make: type[Detector]) -> None:
    values = np.concatenate([step(0.1, 0.4), step(0.4, 0.05, seed=2)])
    whole = rows_of(make().update(values))
    assert whole
    assert any(2_000 <= row < 4_000 for row in whole)
    detector, found, start = make(), [], 0
    for end in (1, 2, 33, 64, 2_001, 2_500, 2_501, 7_000, len(values)):
        found += [start + row for row in rows_of(detector.update(values[start:end]))]
        detector = make.of(json.loads(json.dumps(detector.content())))
        start = end
    assert found == whole


@pytest.mark.parametrize("make", MAKERS)
def test_no_rows_one_row_and_constant_rows_are_no_change(make: type[Detector]) -> None:
    for values in (np.zeros(0), np.ones(1), np.zeros(5_000), np.ones(5_000)):
        assert make().update(values) == []
    detector = make()
    detector.update(np.ones(100))
    assert detector.update(np.zeros(0)) == []


def test_page_hinkley_finds_the_row_that_its_formula_gives() -> None:
    """100 zeros, then ones: in row t the mean is (t - 99)/(t + 1), and the sum is worked out by hand."""
    values = np.repeat([0.0, 1.0], 100)
    total, least, first = 0.0, math.inf, None
    for row, value in enumerate(values):
        total = 0.9999 * total + value - values[: row + 1].mean() - 0.005
        least = min(least, total)
        if first is None and row >= 29 and total - least > 20:
            first = row
    assert PageHinkley(threshold=20).update(values) == [first]
    # Without fading, and with a mean that stays near 0, each one adds 1 - 0.005 less the mean.
    assert PageHinkley(threshold=5, alpha=1.0).update(np.repeat([0.0, 1.0], [100_000, 10])) == [
        100_005
    ]


def test_ddm_finds_the_row_that_its_formula_gives() -> None:
    values = np.array([0, 0, 0, 0, 1] * 40 + [1, 0] * 60)
    p_min, s_min, expected = math.inf, math.inf, None
    for row in range(30, len(values)):
        n = row + 1
        p = values[:n].mean()
        s = math.sqrt(p * (1 - p) / n)
        if p + s <= p_min + s_min:
            p_min, s_min = p, s
        if p + s > p_min + 3 * s_min:
            expected = row
            break
    assert expected is not None
    assert Ddm().update(values)[0] == expected


def test_adwin_cuts_where_its_bound_is_first_exceeded() -> None:
    """Of 32 zeros and n ones the best cut is at the change: the bound of the paper says at which n it is found."""
    ones = 0
    while True:
        ones += 32
        width, variance = 32 + ones, 32 * ones / (32 + ones) ** 2
        confidence = math.log(2 * math.log(width) / 0.002)
        reciprocal = 1 / (32 - 4) + 1 / (ones - 4)
        bound = math.sqrt(2 * reciprocal * variance * confidence) + 2 / 3 * confidence * reciprocal
        if bound < 1:
            break
    # A larger number of buckets keeps every row apart, so that the cut can be anywhere.
    cuts = Adwin(max_buckets=1_000).update(np.repeat([0.0, 1.0], [32, 200]))
    assert cuts[0].row == 31 + ones
    assert cuts[0].before == 0
    assert cuts[0].after > 0.5


def test_adwin_keeps_the_sums_of_its_window_exactly() -> None:
    random = np.random.default_rng(3)
    values = random.random(10_000)
    adwin = Adwin()
    assert adwin.update(values) == []
    assert adwin.width == len(values)
    assert adwin.mean == pytest.approx(values.mean(), abs=1e-12)
    assert all(len(sums) <= 5 for sums, _ in adwin.levels)
    spread = sum(sum(squares) for _, squares in adwin.levels)
    sums = [
        (one / (1 << level), 1 << level)
        for level, (all_, _) in enumerate(adwin.levels)
        for one in all_
    ]
    between = sum(size * (mean - values.mean()) ** 2 for mean, size in sums)
    assert spread + between == pytest.approx(values.var() * len(values), rel=1e-9)


def test_adwin_tells_a_rise_from_a_fall() -> None:
    (rise, *_), (fall, *_) = Adwin().update(step(0.1, 0.5)), Adwin().update(step(0.5, 0.1))
    assert rise.after > rise.before
    assert fall.after < fall.before


def test_a_stream_without_change_rarely_alarms_adwin() -> None:
    random = np.random.default_rng(11)
    alarms = sum(
        bool(Adwin().update((random.random(2_000) < 0.2).astype(float))) for _ in range(20)
    )
    assert alarms == 0


@pytest.mark.slow
@pytest.mark.integration
def test_river_finds_the_same_changes(tmp_path: Path) -> None:
    python = own_environment.python("river")
    random = np.random.default_rng(5)
    streams = {
        "step": step(0.2, 0.5, 10_000),
        "small": step(0.1, 0.15, 20_000, seed=7),
        "fall": step(0.4, 0.1, 10_000, seed=8),
        "twice": np.concatenate([step(0.1, 0.3, 6_000), step(0.3, 0.6, 6_000, seed=4)]),
        "none": (random.random(20_000) < 0.25).astype(float),
        "gradual": (random.random(20_000) < np.linspace(0.1, 0.4, 20_000)).astype(float),
        "rare": (random.random(20_000) < np.repeat([0.002, 0.01], 10_000)).astype(float),
    }
    np.savez(tmp_path / "streams.npz", **streams)
    command = [str(python), "-c", RIVER, str(tmp_path / "streams.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    expected = json.loads(done.stdout)
    for name, values in streams.items():
        ours = {make.__name__: rows_of(make().update(values)) for make in MAKERS}
        assert ours == expected[name], name
    assert any(rows for of in expected.values() for rows in of.values())
