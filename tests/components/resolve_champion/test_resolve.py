import shutil
from pathlib import Path

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.runs.run_records import TaskRecord
from retrainer.components.lib.store import Store
from retrainer.components.lib.verdicts import Champion
from retrainer.components.resolve_champion.resolve import resolve


@pytest.fixture
def store(tmp_path):
    """A store whose champion has seen span 2026-01-10."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"graph")
    uri = str(tmp_path / "store")
    registry = Registry(Store(uri).models_uri)
    info = {"span": "2026-01-10", "train_spans": ["2026-01-09"], "eval_spans": ["2026-01-10"]}
    registry.add(str(model), "d1", info)
    registry.move_alias(CHAMPION, 1, None, {})
    return uri


def test_the_champion_comes_with_the_spans_that_it_has_seen(store, tmp_path):
    assert resolve(store, str(tmp_path / "out"), span="2026-01-11") == "version 1"
    champion = Champion.read(str(tmp_path / "out"))
    assert (champion.version, champion.digest) == (1, "d1")
    assert (champion.train_spans, champion.eval_spans) == (("2026-01-09",), ("2026-01-10",))


def test_no_champion_is_an_answer(tmp_path):
    assert resolve(str(tmp_path / "store"), str(tmp_path / "out"), span="1") == "no champion yet"
    assert not Champion.read(str(tmp_path / "out")).exists


def test_a_run_of_an_older_span_stops_before_it_trains(store, tmp_path):
    with pytest.raises(
        RetrainerError, match=r"span 2026-01-05 is older than 2026-01-10.*--allow-older"
    ):
        resolve(store, str(tmp_path / "out"), span="2026-01-05", pattern="{span:%Y-%m-%d}.csv")
    assert resolve(store, str(tmp_path / "out"), span="2026-01-05", allow_older=True) == "version 1"


def test_a_champion_whose_model_is_gone_stops_the_run_before_it_trains(store, tmp_path):
    shutil.rmtree(Path(store) / "models" / "versions" / "000001" / "model")
    with pytest.raises(RetrainerError, match=r"version 1, has no model at .*models retire"):
        resolve(store, str(tmp_path / "out"))


@pytest.mark.parametrize("span", ["2026-01-11", "2026-01-05"])
def test_the_record_has_the_span_and_the_champion_whether_the_run_goes_on_or_not(
    store, tmp_path, span
):
    record = TaskRecord("resolve_champion")
    try:
        resolve(store, str(tmp_path / "out"), span=span, pattern="{span:%Y-%m-%d}", record=record)
    except RetrainerError:
        assert span == "2026-01-05"
    assert record.notes == {"newest_span": span, "champion": 1}
