"""Cells that begin to be spelled unlike numbers are named by validation; what all spans have is not."""

from types import SimpleNamespace

import pytest

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.examples import Examples, SpanPart
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.statistics.statistics_artifact import StatisticsIndex
from retrainer.components.validate_examples.checks import ambiguous_cells
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


def note(column, kind, rows=2, reason="", examples=("07", "08", "09")):
    return {
        "column": column,
        "kind": kind,
        "rows": rows,
        "examples": list(examples),
        "reason": reason,
    }


@pytest.fixture
def found(monkeypatch):
    """A function that checks spans, each the notes of its version; None for a span whose version is gone."""

    def go(*spans, examples=True):
        names = [str(i) for i in range(1, len(spans) + 1)]
        index = StatisticsIndex("y", (), tuple(names), {"train": (), "eval": ()})
        notes = dict(zip(names, spans, strict=True))
        parts = tuple(SpanPart(name, name, "all", 1, ()) for name in names)
        monkeypatch.setattr(
            ambiguous_cells, "find_version",
            lambda uri: None if notes[uri] is None else SimpleNamespace(notes=notes[uri]),
        )  # fmt: skip
        rows = Examples("y", {"train": parts, "eval": ()}, ()) if examples else None
        window = SimpleNamespace(index=index, examples=rows)
        found = ambiguous_cells.check(SimpleNamespace(window=window), parse_settings())
        return [(one.column, one.where, one.seen) for one in found]

    return go


def test_a_note_is_named_where_no_earlier_span_has_it_on_that_column(found):
    codes, long = (
        note("a", "codes", reason="leading zeros"),
        note("a", "long", rows=1, examples=["9" * 20]),
    )
    text = "2 cells such as '07' and '08' (leading zeros) are not written as numbers, and made the column text"
    assert found([], [codes]) == [("a", "span 2", text)]
    assert found([note("b", "codes")], None, [codes]) == [("a", "span 3", text)]
    assert found([codes], [], [codes]) == []
    assert found([codes], [codes, long]) == [
        ("a", "span 2", f"1 cell such as '{'9' * 20}' have more digits than a number holds, and made the column text")
    ]  # fmt: skip


def test_other_notes_a_first_span_or_rows_that_are_not_known_are_no_finding(found):
    assert found([], [note("a", "words"), note("a", "index")]) == []
    assert found([note("a", "codes")]) == []
    assert found([], [note("a", "codes")], examples=False) == []
    assert found([], None) == []
