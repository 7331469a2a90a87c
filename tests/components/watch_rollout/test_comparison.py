import pytest
from servers.answers import Answers

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.watch_rollout import comparison
from retrainer.components.watch_rollout.comparison import compare_versions


@pytest.fixture
def answers(tmp_path):
    return Answers(tmp_path / "logs")


@pytest.fixture
def section(answers):
    return {
        "observations": str(answers.folder / "*.parquet"),
        "steps": [{"percent": 5, "hold_seconds": 0, "min_requests": 1}],
        "guards": {"error_rate": {"max_increase": 0.0}},
    }


def test_failed_requests_are_compared_by_slice(answers, section):
    worse = answers.rows(2, 3000, 0.05)
    for row in worse:
        if row["carrier"] == "B":
            row["status"] = "ok"
    answers.write("1.parquet", answers.rows(1, 3000, 0.05), worse)
    found = compare_versions(section, 1, 2, ["carrier"])
    verdicts = {one["slice"]: one["verdict"] for one in found["slices"]}
    assert verdicts == {"": "better", "carrier = A": "undecided", "carrier = B": "better"}
    whole = found["slices"][0]
    assert (whole["rows_before"], whole["rows_new"]) == (3000, 3000)
    low, high = whole["interval"]
    assert low < whole["difference"] < high < 0


@pytest.mark.parametrize(
    ("first", "then", "verdict"), [(0.05, 0.5, "worse"), (0.0, 0.5, "changing")]
)
def test_a_difference_that_changed_while_rows_came_has_no_interval(
    answers, section, first, then, verdict
):
    before = 0.05 if verdict == "worse" else 0.2
    answers.write("1.parquet", answers.rows(1, 2000, before), answers.rows(2, 2000, first))
    later = [answers.rows(1, 4000, before, after=60), answers.rows(2, 4000, then, after=60)]
    answers.write("2.parquet", *later)
    whole = compare_versions(section, 1, 2)["slices"][0]
    assert (whole["interval"], whole["verdict"]) == (None, verdict)


def test_the_loss_is_compared_where_labels_come(answers, section, tmp_path):
    rows = answers.write("1.parquet", answers.rows(1, 2000), answers.rows(2, 2000, shift=0.3))
    labels = [
        {"request_id": row["request_id"], "row": 0, "y": min(1.0, row["prediction"])}
        for row in rows
        if row["model_version"] == 1
    ] + [
        {"request_id": row["request_id"], "row": 0, "y": row["prediction"] - 0.9}
        for row in rows
        if row["model_version"] == 2
    ]
    Answers(tmp_path / "labels").write("1.parquet", labels)
    section["labels"] = str(tmp_path / "labels" / "*.parquet")
    section["guards"]["metric"] = {
        "label": "y",
        "prediction": "prediction",
        "loss": "absolute",
        "threshold": 0.5,
        "max_loss": 2.0,
        "max_increase": 0.0,
    }
    whole = compare_versions(section, 1, 2)["slices"][0]
    assert whole["verdict"] == "worse"
    assert whole["new"] == pytest.approx(0.9)
    assert whole["interval"][0] < 0.9 < whole["interval"][1]


def test_a_version_or_a_column_that_is_not_there_is_named(answers, section):
    answers.write("1.parquet", answers.rows(1, 100))
    with pytest.raises(RetrainerError, match="no observations of version 2"):
        compare_versions(section, 1, 2)
    answers.write("2.parquet", answers.rows(2, 100))
    with pytest.raises(RetrainerError, match="no column 'airline'"):
        compare_versions(section, 1, 2, ["airline"])


def test_slices_of_one_version_are_not_compared_and_of_very_many_the_largest_are(answers, section):
    rows = [*answers.rows(1, 120), *answers.rows(2, 120, 1.0)]
    for number, row in enumerate(rows):
        row["carrier"] = "both" if number % 2 else f"{number % 120:03}"
    rows[0]["carrier"] = "only"
    answers.write("1.parquet", rows)
    _, largest, *others = compare_versions(section, 1, 2, ["carrier"])["slices"]
    assert (largest["slice"], largest["rows_before"], largest["rows_new"]) == (
        "carrier = both", 60, 60,
    )  # fmt: skip
    assert (largest["before"], largest["new"], largest["difference"]) == (0, 1, 1)
    assert [one["slice"] for one in others] == [f"carrier = {2 * n:03}" for n in range(1, 50)]
    lone = compare_versions(section, 1, 2, ["carrier"])["slices"]
    assert len(lone) == 51
    answers.write("1.parquet", [row for row in rows if row["carrier"] in ("both", "only")])
    *_, lone = compare_versions(section, 1, 2, ["carrier"])["slices"]
    assert (lone["new"], lone["difference"], lone["verdict"]) == (None, None, "undecided")


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.0, 0.5), "undecided"),
        ((-0.5, 0.0), "undecided"),
        ((0.25, 0.5), "worse"),
        ((-0.5, -0.25), "better"),
        ((0.25, -0.25), "changing"),
        ((0.25, 0.25), "worse"),
    ],
)
def test_an_interval_decides_by_zero(answers, section, monkeypatch, interval, verdict):
    monkeypatch.setattr(comparison, "confidence_interval", lambda *_: interval)
    answers.write("1.parquet", answers.rows(1, 5), answers.rows(2, 5))
    whole = compare_versions(section, 1, 2)["slices"][0]
    kept = None if verdict == "changing" else list(interval)
    assert (whole["verdict"], whole["interval"]) == (verdict, kept)
