"""The report shows the rows that ingestion set aside, why, and the first of them."""

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.ingest_spans.settings import IngestSettings
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.statistics import read_index
from retrainer.components.validate_examples.set_aside import read_set_aside
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.validate import validate


def test_rows_set_aside_are_told_with_reason_and_examples(tmp_path):
    good = "".join(f"{i},{i % 7},{i % 2}\n" for i in range(300))
    (tmp_path / "s-1.csv").write_text("id,x,y\n" + good)
    other = "".join(f"{i},{i % 5},{i % 2}\n" for i in range(200))
    bad = "7,1,1\n901,<b>,\n902,3,\nbroken,SECRET,1,2,3\n"
    (tmp_path / "s-2.csv").write_text("id,x,y\n" + other + bad)
    settings = IngestSettings(label="y", key=("id",), max_bad_rows=0.1)
    store = str(tmp_path / "store")
    ingest(str(tmp_path / "s-{span}.csv"), store, settings, str(tmp_path / "examples"))
    examples, statistics = str(tmp_path / "examples"), str(tmp_path / "statistics")
    compute(examples, statistics, str(tmp_path / "statistics.html"))

    found = {
        one.cause: one for one in read_set_aside(read_index(statistics), Examples.read(examples))
    }
    assert {cause: (one.span, one.rows) for cause, one in found.items()} == {
        "unreadable": ("2", 1), "unlabelled": ("2", 2), "duplicate": ("2", 1),
    }  # fmt: skip
    assert found["unlabelled"].examples == ("id 901", "id 902")
    assert found["unlabelled"].reason == "no value of y yet"
    assert found["duplicate"].reason == "a later row has the same id"
    (place,) = found["unreadable"].examples
    assert place.endswith("s-2.csv line 205")
    assert {one.examples for one in read_set_aside(read_index(statistics), None)} == {()}

    page = tmp_path / "report.html"
    quiet = parse_settings(severity={"unexpected_values": "ignore", "wrong_type": "ignore"})
    out = [str(tmp_path / name) for name in ("anomalies", "schema")]
    validate(statistics, store, quiet, *out, str(page), "", examples)
    text = page.read_text()
    assert "Rows set aside" in text
    assert "id 901<br>id 902" in text
    assert "SECRET" not in text, "a private column's text is not hashed in a row that can't be read"
