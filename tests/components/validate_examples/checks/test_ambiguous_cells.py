"""Cells that begin to be spelled unlike numbers are named by validation; what all spans have is not."""

import pytest

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.validate import validate


@pytest.fixture
def warnings_of(tmp_path):
    """A function that ingests branches of days, and returns what validation says of the column."""

    def go(*days: str) -> list[str]:
        (tmp_path / "in").mkdir()
        for i, branch in enumerate(days):
            rows = "".join(f"{branch if r < 5 else 1000 + r + 7 * i},{r % 2}\n" for r in range(200))
            (tmp_path / "in" / f"{i}.csv").write_text("branch,y\n" + rows)
        at = {name: str(tmp_path / name) for name in ("store", "examples", "stats", "a", "s")}
        settings = IngestSettings("y", types={"branch": "integer"})
        ingest(str(tmp_path / "in" / "{span}.csv"), at["store"], settings, at["examples"])
        compute(at["examples"], at["stats"], str(tmp_path / "1.html"))
        validated = validate(
            at["stats"], at["store"], parse_settings(), at["a"], at["s"],
            str(tmp_path / "2.html"), examples_path=at["examples"],
        )  # fmt: skip
        return [line for line in validated.warnings if line.startswith("branch: ambiguous cells")]

    return go


def test_codes_that_become_numbers_for_the_first_time_are_named(warnings_of):
    (line,) = warnings_of("700", "700", "0700")
    assert "in span 2: 5 cells such as '0700'" in line
    assert "became numbers" in line


def test_what_all_spans_have_is_not_said_again(warnings_of):
    assert warnings_of("0700", "700", "0700") == []
