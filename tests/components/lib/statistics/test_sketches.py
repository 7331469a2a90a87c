"""Sketches are computed once, read as data, and computed again when they are unreadable."""

import hashlib
import json
import os
import pickle
import re
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tfx_bsl import sketches as bsl_sketches

from retrainer.components import compute_statistics
from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.statistics import (
    native_sketches,
    part_reader,
    sketch_store,
    sketch_threads,
)
from retrainer.components.lib.statistics.sketch_file import (
    MAGIC,
    Block,
    SketchError,
    SketchFile,
    decode_block,
    encode,
)
from retrainer.components.lib.statistics.statistics_artifact import (
    common,
    features_by_name,
    read_statistics,
    row_count,
)


@pytest.fixture
def three(months):
    return {span: months[span] for span in ("2013-01", "2013-02", "2013-03")}


@pytest.fixture
def run(make_examples, tmp_path):
    """A function that computes spans' statistics and returns the verdict."""

    def go(spans, **kwargs):
        examples = make_examples(spans)
        return compute(examples, str(tmp_path / "s"), str(tmp_path / "report.html"), **kwargs)

    return go


def sketches(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "store").rglob("sketch-*"))


def forget_kept(tmp_path: Path) -> None:
    """Remove what was kept, so that the sketches are merged again."""
    for path in (tmp_path / "store").rglob("before-*"):
        path.unlink()


def read_whole(content: bytes) -> list:
    """Read all that a sketch holds: its statistics, and the accumulators of each block."""
    file = SketchFile(lambda start, end: content[start:end])
    return [file.statistics(), *(file.accumulators(columns) for columns in file.columns)]


def test_a_span_is_sketched_once_ever(run, months, three, tmp_path, monkeypatch):
    run(three)
    before = read_statistics(tmp_path / "s", "Span-2013-02")
    made = []
    original = sketch_store.make_sketches
    monkeypatch.setattr(
        sketch_store,
        "make_sketches",
        lambda parts, *args: made.extend(part.span for part in parts) or original(parts, *args),
    )
    spans = {span: months[span] for span in ("2013-02", "2013-03", "2013-04")}
    assert run(spans) == "3 spans, 79,077 rows x 16 columns; 1 sketched now, 2 reused"
    assert made == ["2013-04"]
    assert read_statistics(tmp_path / "s", "Span-2013-02") == before


def test_the_same_rows_give_the_same_bytes(run, three, tmp_path):
    def digest():
        return digest_folder(tmp_path / "s")

    run(three)
    first = digest()
    run(three)
    assert digest() == first, "read from sketches"
    forget_kept(tmp_path)
    run(three)
    assert digest() == first, "merged again"
    for path in sketches(tmp_path):
        path.unlink()
    run(three)
    assert digest() == first, "sketched again"


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other format"])
def test_a_damaged_sketch_is_made_again_and_said_so(run, three, tmp_path, damage):
    run(three)
    good = read_statistics(tmp_path / "s", "Split-train")
    victim = sketches(tmp_path)[0]
    content = victim.read_bytes()
    changed = {
        "cut": content[: len(content) // 2],
        "flipped": content[:-1] + bytes([content[-1] ^ 1]),
        "empty": b"",
        "other format": b"RETRAINER-SKETCH-0\n" + content[len(MAGIC) :],
    }
    victim.write_bytes(changed[damage])
    forget_kept(tmp_path)
    assert run(three).endswith("1 sketched now, 2 reused")
    read_whole(victim.read_bytes())
    assert read_statistics(tmp_path / "s", "Split-train") == good
    assert "was computed again" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_a_sketch_does_not_depend_on_how_many_cores_made_it(
    cores, run, months, tmp_path, monkeypatch
):
    monkeypatch.setattr(part_reader, "BATCH_ROWS", 2_000)
    spans = {span: months[span] for span in ("2013-01", "2013-02")}
    assert spans["2013-01"].tailnum.nunique() > 1_024, "more values than TFDV counts"
    made = []
    for workers in (3, cores):
        monkeypatch.setattr(sketch_threads, "cores", lambda workers=workers: workers)
        run(spans)
        made.append([path.read_bytes() for path in sketches(tmp_path)])
        for path in sketches(tmp_path):
            path.unlink()
    assert made[0] == made[1]


def test_a_sketch_whose_accumulators_can_not_be_read_is_made_again(run, three, tmp_path):
    run(three)
    good = read_statistics(tmp_path / "s", "Split-train")
    victim = sketches(tmp_path)[0]
    statistics = read_whole(victim.read_bytes())[0]
    forged = block({"accumulators": [{"object": "Popen"}], "blobs": []})
    victim.write_bytes(encode(statistics, [Block.of(["x"], forged)]))
    forget_kept(tmp_path)
    assert run(three).endswith("1 sketched now, 2 reused")
    assert read_statistics(tmp_path / "s", "Split-train") == good
    assert "was computed again" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("statistics", [b"", b"no message"])
def test_a_sketch_without_statistics_is_made_again(statistics, run, three, tmp_path):
    run(three)
    good = read_statistics(tmp_path / "s", "Split-train")
    victim = sketches(tmp_path)[0]
    victim.write_bytes(encode(statistics, [Block.of(["x"], block({}))]))
    forget_kept(tmp_path)
    assert run(three).endswith("1 sketched now, 2 reused")
    assert read_statistics(tmp_path / "s", "Split-train") == good
    assert "was computed again" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("seed", range(20))
def test_a_sketch_with_any_byte_changed_or_cut_off_is_refused(seed, run, three, tmp_path):
    run({span: frame.head(50) for span, frame in three.items()})
    content = sketches(tmp_path)[0].read_bytes()
    place = int(np.random.default_rng(seed).integers(len(content)))
    for damaged in (
        content[:place],
        content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :],
    ):
        with pytest.raises(SketchError):
            read_whole(damaged)


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def block(header: dict, blob: bytes = b"") -> bytes:
    """A block with any header."""
    text = json.dumps(header).encode()
    return struct.pack(">Q", len(text)) + text + blob


def signed(index: bytes, sections: bytes = b"") -> bytes:
    """A file that passes the checksum of its index, whatever that is."""
    return MAGIC + hashlib.sha256(index).digest() + struct.pack(">Q", len(index)) + index + sections


def test_reading_a_malicious_pickle_runs_nothing(run, three, tmp_path):
    run(three)
    marker = tmp_path / "ran"
    bomb = pickle.dumps(Malicious(marker))
    pickle.loads(bomb)
    assert marker.exists(), "the pickle would work where pickles are read"
    marker.unlink()
    for i, content in enumerate([bomb, signed(bomb)]):
        sketches(tmp_path)[i].write_bytes(content)
    assert run(three).endswith("2 sketched now, 1 reused")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("accumulator", "reason"),
    [
        ({"object": "Popen", "state": {"args": "true"}}, "not one of a sketch's"),
        ({"object": "FeaturePath", "state": {"__class__": "x"}}, "no such field"),
        ({"object": "MeanVarAccumulator", "state": {"__init__": "x"}}, "no such field"),
        ({"native": "QuantilesSketch", "blob": 0}, "can't be read"),
        ({"native": "system", "blob": 0}, "can't be read"),
        ({"unknown": 1}, "can't be read"),
        ({"object": "\ud800" * 999}, r"names the class '\\ud800.{,80}, which"),
        ({"object": "FeaturePath", "state": {"\ud800": "x"}}, r"sets '\\ud800' of"),
    ],
)
def test_a_forged_sketch_sets_only_the_fields_of_its_classes(accumulator, reason):
    with pytest.raises(SketchError, match=reason):
        decode_block(block({"accumulators": [accumulator], "blobs": [0]}))


@pytest.mark.parametrize(
    "index",
    [
        {},
        {"columns": [["x"]], "sections": [[1, 1, "a"]]},
        {"columns": [["x"]], "sections": [[0, -1, "a"], [0, 0, "a"]]},
        {"columns": [["x"]], "sections": [[0, 1 << 60, "a"], [0, 0, "a"]]},
        {"columns": [], "sections": [[0, 0, "a"]]},
        {"columns": 1, "sections": 2},
        "[" * 100_000,
    ],
)
def test_a_forged_index_is_refused(index):
    content = signed((index if isinstance(index, str) else json.dumps(index)).encode())
    with pytest.raises(SketchError, match="index"):
        SketchFile(lambda start, end: content[start:end])


@pytest.mark.parametrize(
    "index",
    [
        {"columns": [["x"]], "sections": [[1.5, 1, "a"], [1.5, 1, "a"]]},
        {"columns": [["x"]], "sections": [[0, 0, None], [0, 0, 5]]},
    ],
)
def test_a_forged_index_finds_nothing(index):
    content = signed(json.dumps(index).encode())
    file = SketchFile(lambda start, end: content[start:end])
    with pytest.raises(SketchError, match="checksum"):
        file.statistics()
    with pytest.raises(SketchError, match="checksum"):
        file.accumulators(["x"])


def test_content_that_does_not_unpack_to_its_size_is_refused():
    packed = pa.compress(b"x" * 100, codec="zstd", asbytes=True)
    for size in (10, 1000, 1 << 32):
        entry = [len(packed), size, hashlib.sha256(packed).hexdigest()]
        index = {"columns": [["x"]], "sections": [entry, entry]}
        content = signed(json.dumps(index).encode(), packed * 2)
        with pytest.raises(SketchError):
            SketchFile(lambda start, end, content=content: content[start:end]).statistics()


@pytest.mark.parametrize("kind", ["KmvSketch", "MisraGriesSketch", "QuantilesSketch"])
def test_a_forged_blob_is_refused_or_read_and_crashes_nothing(kind):
    values = pa.array([str(i).encode() for i in range(300)])
    native = {
        "KmvSketch": lambda: bsl_sketches.KmvSketch(128),
        "MisraGriesSketch": lambda: bsl_sketches.MisraGriesSketch(64),
        "QuantilesSketch": lambda: bsl_sketches.QuantilesSketch(0.01, 1 << 32, 1),
    }[kind]()
    native.AddValues(pa.array(np.arange(300.0)) if kind == "QuantilesSketch" else values)
    good = native.__getstate__()
    rng, refused = np.random.default_rng(0), 0
    for i in range(600):
        forged = bytearray(good)
        for place in rng.integers(len(forged), size=3):
            forged[place] = rng.integers(256)
        blob = bytes(forged[: rng.integers(len(forged))] if i % 3 == 0 else forged)
        try:
            decode_blob(kind, blob).__getstate__()
        except SketchError:
            refused += 1
    assert 0 < refused < 600


def quantiles(summary=(3, 3, 3, 3), buffer=(2, 2), eps=0.003, elements=1 << 32, streams=1) -> bytes:
    """A serialised sketch of quantiles; of summary and buffer, how many values, weights and ranks they have."""
    message = native_sketches._CLASSES["Quantiles"]()
    for _ in range(streams):
        stream = message.streams.add(eps=eps, max_num_elements=elements)
        for target, lengths in ((stream.summaries.add(), summary), (stream.buffer, buffer)):
            names = ("value", "weight", "min_rank", "max_rank")[: len(lengths)]
            for name, length in zip(names, lengths, strict=True):
                getattr(target, name).extend(range(1, 1 + length))
    return message.SerializeToString()


def distinct(buckets: int, full: int) -> bytes:
    message = native_sketches._CLASSES["Kmv"](num_buckets=buckets, hashes=range(full))
    return message.SerializeToString()


def decode_blob(kind: str, blob: bytes) -> object:
    (sketch,) = decode_block(
        block({"accumulators": [{"native": kind, "blob": 0}], "blobs": [len(blob)]}, blob)
    )
    return sketch


def test_a_well_formed_blob_is_read():
    assert decode_blob("QuantilesSketch", quantiles()).GetQuantiles(3)
    assert decode_blob("KmvSketch", distinct(4, 3)).Estimate() == 3


@pytest.mark.parametrize(
    ("kind", "blob"),
    [
        # The C++ class would read beyond the end of these.
        ("QuantilesSketch", quantiles(summary=(3, 2, 3, 3))),
        ("QuantilesSketch", quantiles(summary=(3, 3, 0, 3))),
        ("QuantilesSketch", quantiles(summary=(3, 3, 3, 1))),
        ("QuantilesSketch", quantiles(buffer=(2, 1))),
        # It would not come to an end, or take all memory.
        ("QuantilesSketch", quantiles(eps=-1.0)),
        ("QuantilesSketch", quantiles(eps=float("nan"))),
        ("QuantilesSketch", quantiles(elements=0)),
        ("QuantilesSketch", quantiles(elements=1 << 62)),
        ("QuantilesSketch", quantiles(streams=0)),
        ("QuantilesSketch", quantiles(streams=2)),
        ("QuantilesSketch", b"no message"),
        ("KmvSketch", distinct(0, 0)),
        ("KmvSketch", distinct(-1, 0)),
        ("KmvSketch", distinct(2, 3)),
        ("KmvSketch", distinct(1 << 30, 3)),
        ("KmvSketch", b"no message"),
    ],
)
def test_a_blob_that_would_end_the_process_is_refused(kind, blob):
    with pytest.raises(SketchError, match="can't be read"):
        decode_blob(kind, blob)


def test_a_sketch_of_another_version_is_made_again_and_said_so(run, three, tmp_path):
    run(three)
    for path in sketches(tmp_path):
        path.rename(path.with_name(re.sub(r"-tfdv.*\.bin", "-tfdv0.9.0.bin", path.name)))
    assert run(three).endswith("3 sketched now, 0 reused")
    assert "was sketched with TFDV 0.9.0" in (tmp_path / "report.html").read_text()


def test_other_options_are_another_sketch(run, three, tmp_path):
    run(three)
    assert run(three, stats_options={"num_top_values": 2.0}).endswith("3 sketched now, 0 reused")
    carrier = features_by_name(read_statistics(tmp_path / "s", "Split-train"))["carrier"]
    assert len(carrier.string_stats.top_values) == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"num_top_value": 3}, "Did you mean 'num_top_values'"),
        ({"generators": []}, "which is not supported"),
        ({"epsilon": 0}, "epsilon is 0; TFDV takes a number between 0 and 1"),
        ({"epsilon": 5.0}, "epsilon is 5.0"),
        ({"epsilon": "small"}, "epsilon is 'small'"),
        ({"num_top_values": 2.5}, "num_top_values is 2.5; TFDV takes a whole number"),
        ({"num_top_values": None}, "num_top_values is None"),
        ({"num_histogram_buckets": 0}, "TFDV rejects stats_options .*num_histogram_buckets 0"),
        ({"feature_allowlist": "carrier"}, "feature_allowlist is 'carrier'; TFDV takes a list"),
        ({"feature_allowlist": [1]}, "feature_allowlist is .1."),
        ({"feature_allowlist": ["late", "carier"]}, "names 'carier', .* Did you mean 'carrier'"),
        ({"weight_feature": ""}, "weight_feature is ''"),
        ({"weight_feature": "distance", "feature_allowlist": ["late"]}, "'late'.* leaves out"),
        ({"weight_feature": "no such column"}, "can't weigh rows by 'no such column'"),
        ({"weight_feature": "carrier"}, "can't weigh rows by 'carrier'.* needs a number"),
        ({"weight_feature": "gappy"}, "can't weigh rows by 'gappy'.* one value in each"),
    ],
)
def test_an_option_that_tfdv_can_not_take_is_named(run, three, options, reason):
    three = {span: frame.head(50).assign(gappy=[None, *range(49)]) for span, frame in three.items()}
    with pytest.raises(RetrainerError, match=reason):
        run(three, stats_options=options)


def test_whole_numbers_in_one_span_and_fractions_in_another(run, tmp_path):
    whole = pd.DataFrame({"x": [1, 2, 3], "late": [0, 1, 0]})
    run({"1": whole, "2": whole.assign(x=[0.5, 1.5, None]), "3": whole})
    x = features_by_name(read_statistics(tmp_path / "s", "Split-train"))["x"]
    assert (x.type, x.num_stats.mean, x.num_stats.common_stats.num_missing) == (x.FLOAT, 1.6, 1)
    alone = features_by_name(read_statistics(tmp_path / "s", "Span-1"))["x"]
    assert alone.type == alone.INT


def test_only_spans_with_whole_numbers_are_sketched_again_beside_one_with_fractions(run, tmp_path):
    whole = pd.DataFrame({"x": [1, 2, 3], "late": [0, 1, 0]})
    fractions = whole.assign(x=[0.5, 1.5, None])
    run({"1": fractions, "2": whole, "3": fractions, "4": whole})
    made = {
        span: len(list((tmp_path / "store" / "spans" / span).rglob("sketch-*"))) for span in "123"
    }
    assert made == {"1": 1, "2": 2, "3": 1}


def test_text_in_one_span_and_numbers_in_another(run):
    number = pd.DataFrame({"x": [1, 2, 3], "late": [0, 1, 0]})
    spans = {"1": number, "2": number.assign(x=["a", "b", "c"]), "3": number}
    with pytest.raises(
        RetrainerError,
        match="'x' is text in span 2 and a number in span 1, so that the spans can't be",
    ):
        run(spans)


@pytest.mark.parametrize("cells", [["a", "b", "c"], [1, 2, 3], [0.5, 1.5, 2.5]])
@pytest.mark.parametrize("empty", ["1", "2"])
def test_a_column_that_is_empty_in_one_span_alone(cells, empty, run, tmp_path):
    late = pa.array([0, 1, 0])
    full = pa.table({"x": pa.array(cells), "late": late})
    spans = dict.fromkeys(("1", "2", "3"), full)
    spans[empty] = pa.table({"x": pa.nulls(3), "late": late})
    run(spans)
    of_full = features_by_name(read_statistics(tmp_path / "s", "Span-3"))["x"]
    x = features_by_name(read_statistics(tmp_path / "s", "Split-train"))["x"]
    assert x.type == of_full.type
    assert (common(x).num_non_missing, common(x).num_missing) == (3, 3)


def test_a_span_without_rows(run, three, tmp_path):
    three["2013-03"] = three["2013-03"].iloc[:0]
    run(three)
    assert row_count(read_statistics(tmp_path / "s", "Split-eval")) == 0


def test_a_column_without_values(run, three, tmp_path):
    three["2013-03"] = three["2013-03"].assign(dep_delay=float("nan"))
    run(three)
    delay = features_by_name(read_statistics(tmp_path / "s", "Split-eval"))["dep_delay"]
    assert delay.num_stats.common_stats.num_non_missing == 0


def test_the_report_needs_no_network(run, three, tmp_path):
    three["2013-02"] = three["2013-02"].rename(columns={"tailnum": "<b>tail & co"})
    run(three)
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;tail &amp; co" in page
    assert not re.search(r"""(src|href)\s*=|url\(|@import""", page)
    for column in three["2013-01"].columns:
        assert f"<h3>{column} " in page


def test_the_component(make_examples, three, tmp_path):
    from kfp import dsl

    examples = dsl.Dataset(name="examples", uri=make_examples(three))
    statistics = dsl.Artifact(name="statistics", uri=str(tmp_path / "out"))
    report = dsl.HTML(name="report", uri=str(tmp_path / "report.html"))
    (verdict,) = compute_statistics.python_func(
        examples=examples, statistics=statistics, report=report
    )
    assert verdict == "3 spans, 77,911 rows x 16 columns; 3 sketched now, 0 reused"
    assert (tmp_path / "out" / "Split-train" / "FeatureStats.pb").stat().st_size


def test_a_slip_in_the_allowlist_costs_no_pass_over_the_data(make_examples, months, tmp_path):
    examples = make_examples({name: months[name].head(50) for name in ("2013-01", "2013-02")})
    with pytest.raises(RetrainerError, match="names 'carier'"):
        compute(
            examples,
            str(tmp_path / "s"),
            str(tmp_path / "page.html"),
            stats_options={"feature_allowlist": ["late", "carier"]},
        )
    assert not list((tmp_path / "store").rglob("sketch*"))
