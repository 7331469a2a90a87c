import os

import fsspec
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.spans import span_discovery
from retrainer.components.lib.spans.span_discovery import (
    check_pattern,
    find_files,
    find_spans,
    read_fingerprints,
)
from retrainer.components.lib.spans.span_patterns import compile_pattern
from retrainer.components.lib.uris import write_atomic


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a\n1\n")


def _names(pattern):
    return [span.name for span in find_spans(str(pattern))]


def test_numbers_are_ordered_as_numbers(tmp_path):
    _touch(tmp_path, "s-9.csv", "s-10.csv", "s-2.csv")
    assert _names(tmp_path / "s-{span}.csv") == ["2", "9", "10"]


def test_names_are_ordered_as_text(tmp_path):
    _touch(tmp_path, "s-b.csv", "s-a.csv")
    assert _names(tmp_path / "s-{span}.csv") == ["a", "b"]


def test_dates_are_read_by_their_format_and_others_left_out(tmp_path):
    _touch(tmp_path, "2023/12/31/x.csv", "2024/01/01/x.csv", "2024/01/01/y.csv", "2024/01/xx/x.csv")
    spans = find_spans(str(tmp_path / "{span:%Y/%m/%d}" / "*.csv"))
    assert [(span.name, len(span.files)) for span in spans] == [
        ("2023/12/31", 1),
        ("2024/01/01", 2),
    ]


def test_what_a_glob_matches_and_the_pattern_does_not_is_no_data_on_a_bucket():
    memory = fsspec.filesystem("memory")
    for name in ("2024-01-01", "2024-01-xx", "2024-13-01"):
        memory.pipe(f"/dated/{name}.csv", b"a\n1\n")
    assert _names("memory://dated/{span:%Y-%m-%d}.csv") == ["2024-01-01"]


def test_day_first_dates_are_ordered_in_time(tmp_path):
    _touch(tmp_path, "01-02-2024.csv", "02-01-2024.csv")
    assert _names(tmp_path / "{span:%d-%m-%Y}.csv") == ["02-01-2024", "01-02-2024"]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{span:%Y%m%d}/x.csv", "20240131"),
        ("s-{span:%Y%m%d%H}.csv", "2024013123"),
        ("s-{span:%Y%m}*.csv", "202401"),
        ("*{span:%Y-%m-%d}*/x.csv", "2024-01-31"),
    ],
)
def test_dates_without_separators_and_beside_a_wildcard(tmp_path, pattern, name):
    _touch(tmp_path, "20240131/x.csv", "s-2024013123.csv", "s-202401-1.csv", "a2024-01-31b/x.csv")
    assert name in _names(tmp_path / pattern)


def test_fields_of_a_date_beside_each_other_are_found_on_a_bucket():
    import fsspec

    fsspec.filesystem("memory").pipe("/dates [1]/20240131.csv", b"a\n1\n")
    assert _names("memory://dates [1]/{span:%Y%m%d}.csv") == ["20240131"]


@pytest.mark.parametrize("literal", ["s(1)+", "s[1]-", "s{1}-", "s!-"])
def test_characters_that_mean_something_in_a_pattern_are_taken_literally(tmp_path, literal):
    _touch(tmp_path, f"{literal}a.csv")
    assert _names(tmp_path / f"{literal}{{span}}.csv") == ["a"]


def test_hidden_files_and_folders_are_no_data(tmp_path):
    _touch(tmp_path, "1/a.csv", "1/.a.csv", ".ipynb_checkpoints/a.csv", "._2/a.csv", ".3/a.csv")
    (one,) = find_spans(str(tmp_path / "{span}" / "*.csv"))
    assert (one.name, len(one.files)) == ("1", 1)
    assert compile_pattern("gs://bucket/{span}/*.csv").match("gs://bucket/1/.a.csv") is None
    assert _names(tmp_path / ".{span}" / "a.csv") == ["3", "_2", "ipynb_checkpoints"]


def test_links_to_folders_and_files_are_followed(tmp_path):
    _touch(tmp_path, "real/1/a.csv", "real/b.csv")
    (tmp_path / "days").mkdir()
    os.symlink(tmp_path / "real" / "1", tmp_path / "days" / "1")
    (tmp_path / "days" / "2").mkdir()
    os.symlink(tmp_path / "real" / "b.csv", tmp_path / "days" / "2" / "b.csv")
    pattern = str(tmp_path / "days" / "{span}" / "*.csv")
    before = find_spans(pattern)
    assert [span.name for span in before] == ["1", "2"]

    assert read_fingerprints(before[1].files) == [before[1].files[0].fingerprint]
    (tmp_path / "real" / "b.csv").write_text("a\n2\n")
    os.utime(tmp_path / "real" / "b.csv", (1, 1))
    after = find_spans(pattern)
    assert after[0] == before[0]
    assert after[1].files[0].fingerprint != before[1].files[0].fingerprint
    assert read_fingerprints(before[1].files) == [after[1].files[0].fingerprint]


def test_a_link_to_nothing_is_named(tmp_path):
    _touch(tmp_path, "1.csv")
    os.symlink(tmp_path / "gone.csv", tmp_path / "2.csv")
    with pytest.raises(RetrainerError, match=r"2\.csv' is a link to '.*gone\.csv', which is not"):
        find_spans(str(tmp_path / "{span}.csv"))


def test_what_is_no_file_is_no_data(tmp_path):
    _touch(tmp_path, "1/a.csv")
    (tmp_path / "1" / "b.csv").mkdir()
    os.mkfifo(tmp_path / "1" / "c.csv")
    (one,) = find_spans(str(tmp_path / "{span}" / "*.csv"))
    assert len(one.files) == 1


def test_folder_markers_of_an_object_store_are_no_data():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/day=1/part.csv", b"a\n1\n")
    memory.pipe("/bucket/day=2/part.csv", b"a\n1\n")
    spans = find_spans("memory://bucket/day={span}/*.csv")
    assert [span.name for span in spans] == ["1", "2"]
    assert spans[0].files[0].uri.startswith("memory://")


def test_an_empty_object_that_names_a_folder_is_no_file_of_its_span(monkeypatch):
    listed = {"/bucket/day=1/": {"size": 0}, "/bucket/day=1/a": {"size": 4}}
    monkeypatch.setattr(span_discovery, "_list_files", lambda *_: listed)
    (span,) = find_spans("memory://bucket/day={span}/*")
    assert [file.uri for file in span.files] == ["memory:///bucket/day=1/a"]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("data.csv", "has 0 '{span}'"),
        ("{span}/{span}.csv", "has 2 '{span}'"),
        ("{span:%Q}.csv", "the field '%Q'"),
        ("{span:day}.csv", "no date field"),
        ("{span:%Y-%Y}.csv", "the field '%Y' twice"),
        ("{span:%m-%d}.csv", "a day without its year"),
        ("{span:%Y-%d}.csv", "'%d' without '%m', so that different times have one name"),
        ("{span:%Y-%m-%dT%M}.csv", "'%M' without '%H'"),
        ("{span:%Y-%jT%M}.csv", "'%M' without '%H'"),
        ("{span}*.csv", "leaves open where a span's name ends"),
        ("*{span}.csv", "leaves open where a span's name ends"),
    ],
)
def test_a_malformed_pattern_says_how_it_should_be(tmp_path, pattern, says):
    with pytest.raises(RetrainerError, match=says):
        find_spans(str(tmp_path / pattern))


def test_a_date_that_is_none_is_no_span(tmp_path):
    _touch(tmp_path, "2024-02-28.csv", "2024-02-31.csv")
    assert _names(tmp_path / "{span:%Y-%m-%d}.csv") == ["2024-02-28"]


def test_a_name_is_matched_without_listing_files():
    pattern = compile_pattern("gs://bucket/day={span:%Y-%m-%d}/*.csv")
    assert pattern.match("gs://bucket/day=2024-01-31/a.csv") == "2024-01-31"
    assert pattern.match("gs://bucket/day=2024-01-31/sub/a.csv") is None


def test_nothing_behind_the_pattern_names_it(tmp_path):
    with pytest.raises(RetrainerError, match=r"no file matches .*s-\{span\}\.csv"):
        find_spans(str(tmp_path / "s-{span}.csv"))


def _whole(pattern, marker):
    return {
        span.name: (span.whole, len(span.files)) for span in find_spans(str(pattern), marker=marker)
    }


def test_a_marker_completes_the_span_of_its_folder_and_is_no_data(tmp_path):
    _touch(tmp_path, "day=1/a.csv", "day=1/b.csv", "day=1/_SUCCESS", "day=2/a.csv")
    assert _whole(tmp_path / "day={span}" / "*", "_SUCCESS") == {"1": (True, 2), "2": (False, 1)}
    assert _whole(tmp_path / "day={span}" / "*.csv", "_SUCCESS")["1"] == (True, 2)
    assert _whole(tmp_path / "day={span}" / "*.csv", "")["2"] == (True, 1)


def test_a_span_of_several_folders_needs_a_marker_in_each(tmp_path):
    _touch(
        tmp_path, "1/x/a.csv", "1/x/ok", "1/y/a.csv", "2/x/a.csv", "2/x/ok", "2/y/a.csv", "2/y/ok"
    )
    assert _whole(tmp_path / "{span}" / "*" / "*.csv", "ok") == {"1": (False, 2), "2": (True, 2)}


def test_spans_that_share_a_folder_are_named_in_their_markers(tmp_path):
    _touch(tmp_path, "s-2024-01-01.csv", "s-2024-01-02.csv", "2024-01-01.done")
    pattern = tmp_path / "s-{span:%Y-%m-%d}.csv"
    assert _whole(pattern, "{span}.done") == {"2024-01-01": (True, 1), "2024-01-02": (False, 1)}
    with pytest.raises(RetrainerError, match=r"does not say which span it completes"):
        find_spans(str(pattern), "_SUCCESS")


def test_a_marker_with_a_date_of_several_folders(tmp_path):
    _touch(tmp_path, "2024/01/01/a.csv", "2024/01/01/ok", "2024/01/02/a.csv")
    assert _whole(tmp_path / "{span:%Y/%m/%d}" / "*", "ok") == {
        "2024/01/01": (True, 1),
        "2024/01/02": (False, 1),
    }


@pytest.mark.parametrize("marker", ["a/b", "*.done", "ok?"])
def test_a_marker_that_is_no_files_name_is_refused(tmp_path, marker):
    _touch(tmp_path, "1/a.csv")
    with pytest.raises(RetrainerError, match="must be a file's name"):
        find_spans(str(tmp_path / "{span}" / "*"), marker)


def test_a_marker_beside_files_whose_date_has_folders(tmp_path):
    _touch(tmp_path, "2024/01.csv", "2024/01.done", "2024/02.csv")
    assert _whole(tmp_path / "{span:%Y/%m}.csv", "{span}.done") == {
        "2024/01": (True, 1),
        "2024/02": (False, 1),
    }


@pytest.mark.parametrize(
    ("pattern", "name", "columns"),
    [
        ("d/site=*/{span}.csv", "d/site=north/7.csv", (("site", "north"),)),
        ("d/{span}/site=*/*.csv", "d/7/site=north/a.csv", (("site", "north"),)),
        (
            "d/*/{span}/*/*.csv",
            "d/site=north/7/till=2/a=b.csv",
            (("site", "north"), ("till", "2")),
        ),
        # What the pattern spells out, and the span's own folder.
        ("d/site=north/day={span}/*.csv", "d/site=north/day=7/a.csv", ()),
        ("d/*/{span:%Y/%m}/*.csv", "d/site=a/2024/01/b.csv", (("site", "a"),)),
        ("d/*/{span}.csv", "d/north/7.csv", ()),
        ("d/*/{span}.csv", "d/=north/7.csv", ()),
        ("d/*/{span}.csv", "d/site=a%2Fb/7.csv", (("site", "a/b"),)),
        ("d/*/{span}.csv", "d/site=__HIVE_DEFAULT_PARTITION__/7.csv", (("site", None),)),
    ],
)
def test_folders_that_a_wildcard_matches_are_columns(pattern, name, columns):
    assert compile_pattern(pattern).match(name)
    assert compile_pattern(pattern).partitions(name) == columns


def test_a_span_with_one_folder_that_lacks_its_marker_leaves_the_other_spans_whole(tmp_path):
    _touch(tmp_path, "1/a.csv", "2/a.csv", "2/ok", "3/a.csv")
    assert _whole(tmp_path / "{span}" / "*.csv", "ok") == {
        "1": (False, 1),
        "2": (True, 1),
        "3": (False, 1),
    }


def test_two_files_of_one_span_have_fingerprints_of_their_own(tmp_path):
    _touch(tmp_path, "1/a.csv", "1/b.csv")
    (span,) = find_spans(str(tmp_path / "{span}" / "*.csv"))
    before = read_fingerprints(span.files)
    os.utime(tmp_path / "1" / "b.csv", (1, 1))
    changed = read_fingerprints(span.files)
    assert (changed[0] == before[0], changed[1] == before[1]) == (True, False)
    (tmp_path / "1" / "a.csv").unlink()
    assert read_fingerprints(span.files) == ["", changed[1]]


def test_a_file_is_dated_where_its_file_system_says_when_it_changed(tmp_path):
    import fsspec

    _touch(tmp_path, "1.csv")
    fsspec.filesystem("memory").pipe("/undated/1.csv", b"a\n1\n")
    ((local,), (memory,)) = (
        span.files
        for pattern in (str(tmp_path / "{span}.csv"), "memory://undated/{span}.csv")
        for span in find_spans(pattern)
    )
    assert (local.dated, memory.dated) == (True, False)
    assert read_fingerprints([memory, local]) == [memory.fingerprint, local.fingerprint]


def test_files_of_a_span_are_in_the_order_of_their_names(tmp_path, monkeypatch):
    names = [f"1/{letter}.csv" for letter in "dbac"]
    _touch(tmp_path, *names)
    listed = [str(tmp_path / name) for name in names]
    # A folder lists its files in any order.
    monkeypatch.setattr(span_discovery, "iglob", lambda pattern: iter(listed))
    (span,) = find_spans(str(tmp_path / "{span}" / "*.csv"))
    assert [file.uri[-5:] for file in span.files] == ["a.csv", "b.csv", "c.csv", "d.csv"]


@pytest.mark.parametrize(
    ("pattern", "marker", "says"),
    [
        ("s-{span}.csv", "_SUCCESS", "does not say which span"),
        ("{span}/*.csv", "{span}.done", "does not say which span"),
        ("{span}/*.csv", "*.done", "must be a file's name"),
        ("bq://p.d.t_{span:%Y%m%d}", "_SUCCESS", "tables of BigQuery have none"),
        ("{span}*.csv", "", "leaves open"),
    ],
)
def test_a_pattern_and_a_marker_are_checked_without_a_look_at_files(pattern, marker, says):
    with pytest.raises(RetrainerError, match=says):
        check_pattern(pattern, marker)
    check_pattern("{span}/*.csv", "_SUCCESS")
    check_pattern("s-{span}.csv", "s-{span}.done")


@pytest.mark.parametrize("place", ["local", "memory"])
def test_files_without_spans_are_listed_by_name_with_their_size(tmp_path, place):
    folder = str(tmp_path) if place == "local" else f"memory://{tmp_path.name}"
    for name, text in (("b.csv", "a\n1\n"), ("a.csv", ""), (".c.csv", "a"), ("_SUCCESS.csv", "")):
        write_atomic(f"{folder}/{name}", text)
    found = [(file.uri.rpartition("/")[2], file.size) for file in find_files(f"{folder}/*.csv")]
    assert found == [("a.csv", 0), ("b.csv", 4)]
    assert find_files(f"{folder}/*.json") == []


def test_of_a_link_without_a_span_the_file_itself_shows_a_change(tmp_path):
    _touch(tmp_path, "real/b.csv")
    os.symlink(tmp_path / "real" / "b.csv", tmp_path / "b.csv")
    (before,) = find_files(str(tmp_path / "*.csv"))
    os.utime(tmp_path / "real" / "b.csv", (1, 1))
    (after,) = find_files(str(tmp_path / "*.csv"))
    assert before.dated
    assert read_fingerprints([before]) == [after.fingerprint] != [before.fingerprint]


class CachedListing:
    """A file system that shows what it listed before, as those of buckets do, until its cache is dropped."""

    def __init__(self, *names):
        self.names, self._listed = list(names), None

    def invalidate_cache(self):
        self._listed = None

    def glob(self, path, detail):
        self._listed = self._listed or {name: {"type": "file", "size": 4} for name in self.names}
        return self._listed

    def unstrip_protocol(self, name):
        return f"bucket://{name}"


def test_a_file_that_another_process_wrote_meanwhile_is_listed(monkeypatch):
    listing = CachedListing("b/1.csv")
    monkeypatch.setattr(span_discovery, "filesystem", lambda pattern: (listing, "b/*.csv"))
    assert [file.uri for file in find_files("bucket://b/*.csv")] == ["bucket://b/1.csv"]
    listing.names.append("b/2.csv")
    assert len(find_files("bucket://b/*.csv")) == 2
