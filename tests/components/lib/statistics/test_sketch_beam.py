"""Sketches that are made on Beam are, byte by byte, those that are made here."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.examples import Examples, SpanPart
from retrainer.components.lib.statistics import sketch_beam, sketch_store, sketches

BEAM = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]


@pytest.fixture
def examples(months, tmp_path):
    """Two months in several files each, one of them without rows."""

    def part(span: str) -> SpanPart:
        table = pa.Table.from_pandas(months[span], preserve_index=False)
        folder = tmp_path / "store" / "spans" / span / "v1"
        folder.mkdir(parents=True)
        files = []
        for number, start in enumerate((0, 9_000, len(table), 18_000)):
            behind = {0: 9_000, 9_000: 18_000}.get(start, len(table))
            files.append(f"all-{number:05d}.parquet")
            pq.write_table(table.slice(start, behind - start), folder / files[-1])
        return SpanPart(span, str(folder), "all", len(table), tuple(files))

    train, evaluation = part("2013-01"), part("2013-02")
    window = Examples(
        "late", {"train": (train,), "eval": (evaluation,)}, (train.span, evaluation.span)
    )
    window.write(tmp_path / "examples")
    return str(tmp_path / "examples")


def made(examples, tmp_path, beam_args=()) -> dict[str, bytes]:
    """Sketch a window; gives what was written, by place, and forgets it."""
    verdict = compute(examples, str(tmp_path / "s"), str(tmp_path / "r.html"), beam_args)
    assert "2 sketched now" in verdict
    found = {}
    for path in sorted((tmp_path / "store").rglob("sketch-*")):
        found[str(path)] = path.read_bytes()
        path.unlink()
    assert len(found) == 2
    return found


def test_a_store_that_can_not_be_written_is_a_note_as_it_is_in_process(
    examples, tmp_path, monkeypatch
):
    def denied(uri: str, *_: Any, **__: Any) -> None:
        if "/sketch-" in uri:
            raise PermissionError(13, "Permission denied", uri)
        write(uri, *_, **__)

    write = sketch_beam.write_atomic
    for module in (sketch_beam, sketch_store):
        monkeypatch.setattr(module, "write_atomic", denied)
    verdicts = {
        compute(examples, str(tmp_path / "s"), str(tmp_path / "r.html"), beam_args)
        for beam_args in (BEAM, [])
    }
    assert len(verdicts) == 1
    assert "be stored, so the next run computes it again" in (tmp_path / "r.html").read_text()
    assert not list((tmp_path / "store").rglob("sketch-*"))


@pytest.mark.parametrize("block", [sketches.BLOCK_COLUMNS, 5])
def test_equal_bytes(examples, months, tmp_path, monkeypatch, block):
    monkeypatch.setattr(sketches, "BLOCK_COLUMNS", block)
    assert months["2013-01"].tailnum.nunique() > 1_024, "more values than TFDV counts"
    assert made(examples, tmp_path, BEAM) == made(examples, tmp_path)
