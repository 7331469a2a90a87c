import numpy as np

from retrainer.components.lib.saved_models.scored_rows import MOST_ROWS, ScoredRows


def test_rows_are_written_alike_whatever_the_order_of_a_models_columns(tmp_path):
    predictions = np.arange(100, dtype=np.float32)
    some, others = (
        ScoredRows.of("2026-01-05/a/all", dict.fromkeys(names, range(100)), predictions)
        for names in (("city", "amount"), ("amount", "city"))
    )
    for name, rows in (("some", some), ("others", others)):
        rows.write(str(tmp_path / name))
    written = [(tmp_path / name / "scored_rows.json").read_text() for name in ("some", "others")]
    assert written[0] == written[1]
    kept = ScoredRows.read(str(tmp_path / "some"))
    assert len(kept.predictions) == len(kept.columns["city"]) == MOST_ROWS
    assert kept.predictions[1] == [1.0]


def test_a_folder_without_rows_has_none(tmp_path):
    assert ScoredRows.read(str(tmp_path)) is None
