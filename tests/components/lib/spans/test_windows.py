import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceSpan
from retrainer.components.lib.spans.windows import choose_window, infer_steps

DAYS = "data/{span:%Y-%m-%d}.csv"


def window(names, newest="latest", window=3, pattern="s-{span}.csv", min_spans=0):
    spans = [SourceSpan(name, ()) for name in names]
    return [span.name for span in choose_window(spans, newest, window, pattern, min_spans)]


def test_a_window_ends_with_the_span_asked_for():
    assert window("12345", window=2) == ["4", "5"]
    assert window("12345", "3", 2) == ["2", "3"]
    assert window("12345", "1", 2) == ["1"]
    with pytest.raises(RetrainerError, match=r"no span '7'.*4, 5"):
        window("12345", "7", 2)


@pytest.mark.parametrize(
    ("date_format", "first", "second"),
    [
        ("%Y", "2023", "2024"),
        ("%Y-%m", "2023-12", "2024-01"),
        ("%Y-%m-%d", "2024-02-29", "2024-03-01"),
        ("%d.%m.%Y", "31.12.2023", "01.01.2024"),
        ("%Y/%j", "2024/366", "2025/001"),
        ("%Y-%m-%d/%H", "2023-12-31/23", "2024-01-01/00"),
        ("%Y%m%d%H%M", "202402292359", "202403010000"),
        (None, "9", "10"),
        (None, "009", "010"),
    ],
)
def test_spans_that_follow_each_other_are_one_step_apart(date_format, first, second):
    steps = infer_steps([first, second], date_format)
    assert steps.number(second) - steps.number(first) == 1
    assert steps.name(steps.number(first)) == first
    assert steps.name(steps.number(second)) == second


def test_a_missing_number_before_others_of_equal_length_is_written_as_they_are():
    assert infer_steps(["10", "11"], None).name(9) == "9"
    assert infer_steps(["010", "011"], None).name(9) == "009"
    assert infer_steps(["0", "11"], None).name(9) == "9"


def test_plain_names_and_dates_with_a_gap_in_their_format_have_no_step():
    assert infer_steps(["a", "b"], None) is None
    assert infer_steps(["1", "b"], None) is None
    assert infer_steps(["2024-01"], "%Y-%d") is None
    assert window("aez") == ["a", "e", "z"]


def test_a_missing_day_is_named_with_the_fix():
    days = ["2024-02-27", "2024-02-28", "2024-03-01"]
    with pytest.raises(RetrainerError, match=r"1 span is missing: 2024-02-29\. .*min_spans"):
        window(days, pattern=DAYS)


def test_a_missing_number_is_named():
    with pytest.raises(RetrainerError, match=r"2 spans are missing: 3, 4\."):
        window(["1", "2", "5"])


def test_a_gap_before_the_window_is_none_of_its_business():
    assert window(["1", "4", "5", "6"]) == ["4", "5", "6"]


def test_a_gap_right_behind_the_newest_span_is_seen():
    with pytest.raises(RetrainerError, match=": 4, 5"):
        window(["1", "2", "6"])


def test_a_window_may_be_short_where_the_data_begins():
    assert window(["5", "6"], window=10) == ["5", "6"]


def test_of_many_missing_spans_the_first_are_named_and_the_rest_counted():
    with pytest.raises(RetrainerError, match=r"8 spans are missing: 2, 3, 4, 5, 6 and 3 more"):
        window(["1", "10"], window=20)


def test_min_spans_allows_holes_within_the_window():
    week = ["2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"]
    assert window(week, window=5, pattern=DAYS, min_spans=3) == week[1:]


def test_fewer_than_min_spans_are_refused_with_what_is_missing():
    with pytest.raises(
        RetrainerError,
        match=r"window of 4 .* has 2 spans, and min_spans is 3; 2 spans are missing: 3, 4",
    ):
        window(["1", "2", "5"], window=4, min_spans=3)


@pytest.mark.parametrize("names", ["ab", "12"])
def test_fewer_than_min_spans_are_refused_where_the_data_begins_too(names):
    with pytest.raises(RetrainerError, match=r"window of 4 .* has 2 spans, .* lower data.min"):
        window(names, window=4, min_spans=3)


def test_numbers_that_look_like_dates_hint_at_the_format():
    with pytest.raises(RetrainerError, match=r"\{span:%Y%m%d\}"):
        window(["20240131", "20240201"])


def test_a_span_without_its_marker_is_not_there():
    spans = [SourceSpan(name, (), whole=name not in "35") for name in "12345"]
    with pytest.raises(RetrainerError, match=r"1 span is missing: 3 \(lacks _SUCCESS\)"):
        choose_window(spans, "latest", 3, "{span}/a", marker="_SUCCESS")
    chosen = choose_window(spans, "latest", 3, "{span}/a", min_spans=2, marker="_SUCCESS")
    assert [span.name for span in chosen] == ["2", "4"]
    with pytest.raises(RetrainerError, match=r"span '5' .* lacks the marker '_SUCCESS'"):
        choose_window(spans, "5", 3, "{span}/a", marker="_SUCCESS")


def test_no_span_with_its_marker_names_the_newest():
    spans = [SourceSpan(name, (), whole=False) for name in "12"]
    with pytest.raises(RetrainerError, match=r"each span, up to 2, .* lacks the marker 'done'"):
        choose_window(spans, "latest", 3, "{span}/a", marker="done")


def test_an_excluded_span_is_stepped_over_and_is_no_gap():
    days = [f"2024-01-{day:02d}" for day in range(1, 7)]

    def without(*excluded, newest="latest", there=days, pattern=DAYS, window=3):
        spans = [SourceSpan(name, ()) for name in there]
        chosen = choose_window(spans, newest, window, pattern, excluded=excluded)
        return [span.name[-2:] for span in chosen]

    assert without("2024-01-05") == ["03", "04", "06"]
    assert without("2024-01-06") == ["03", "04", "05"], "the newest is the one before"
    assert without("2024-01-02", newest="2024-01-03") == ["01", "03"]
    assert without("2024-01-05", there=[*days[:4], days[5]]) == ["03", "04", "06"], "or gone since"
    assert without("other", "2024-01-05") == ["03", "04", "06"]
    with pytest.raises(RetrainerError, match=r"1 span is missing: 2024-01-04\."):
        without("2024-01-05", there=[*days[:3], *days[4:]])
    names = {"there": list("aez"), "pattern": "s-{span}.csv"}
    assert without("e", **names) == ["a", "z"]
    with pytest.raises(RetrainerError, match=r"every span .* is excluded.*spans include"):
        without(*"aez", **names)


@pytest.mark.parametrize(
    ("newest", "says"),
    [
        ("7", r"5 spans are missing: 2, 3, 4, 5, 6\. "),
        ("8", r"6 spans are missing: 2, 3, 4, 5, 6 and 1 more\. "),
    ],
)
def test_as_many_missing_spans_as_are_named_have_no_rest(newest, says):
    with pytest.raises(RetrainerError, match=says):
        window(["1", newest], window=20)


def test_exactly_min_spans_are_enough_and_one_less_is_not():
    assert window(["1", "3", "5"], window=5, min_spans=3) == ["1", "3", "5"]
    with pytest.raises(RetrainerError, match="has 3 spans, and min_spans is 4"):
        window(["1", "3", "5"], window=5, min_spans=4)


def test_a_missing_span_at_the_windows_begin_is_seen_and_one_before_is_not():
    with pytest.raises(RetrainerError, match=": 3 "):
        choose_window(
            [SourceSpan(name, (), whole=name != "3") for name in "12345"],
            "latest", 3, "{span}/a", marker="_SUCCESS",
        )  # fmt: skip
    chosen = choose_window(
        [SourceSpan(name, (), whole=name != "2") for name in "12345"], "latest", 3, "{span}/a"
    )
    assert [span.name for span in chosen] == ["3", "4", "5"]


def test_numbers_are_padded_only_where_the_names_are():
    assert infer_steps(["8", "9", "10"], None).name(7) == "7"
    assert infer_steps(["08", "09", "10"], None).name(7) == "07"
    assert infer_steps(["0", "1", "10"], None).name(7) == "7"
    with pytest.raises(RetrainerError, match=r"1 span is missing: 09\."):
        window(["08", "10"])


def test_hours_of_the_day_and_minutes_are_steps_of_their_own():
    hours = ["2024-02-28/23", "2024-02-29/01"]
    with pytest.raises(RetrainerError, match=r"1 span is missing: 2024-02-29/00\."):
        window(hours, pattern="d/{span:%Y-%m-%d/%H}.csv")
    with pytest.raises(RetrainerError, match=r"1 span is missing: 2024-02-29 00:00\."):
        window(["2024-02-28 23:59", "2024-02-29 00:01"], pattern="d/{span:%Y-%m-%d %H:%M}.csv")
    with pytest.raises(RetrainerError, match=r"2 spans are missing: 2023-12, 2024-01\."):
        window(["2023-11", "2024-02"], window=5, pattern="d/{span:%Y-%m}.csv")


def test_numbers_of_which_one_is_no_date_get_no_hint_at_dates():
    with pytest.raises(RetrainerError) as caught:
        window(["202312", "202401", "202403", "202500"], window=4, newest="202403")
    assert "If these numbers are dates" in str(caught.value)
    with pytest.raises(RetrainerError) as caught:
        window(["7", "202401", "202403"])
    assert "missing" in str(caught.value)
    assert "dates" not in str(caught.value)
