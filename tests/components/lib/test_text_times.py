"""Times as text, each in a form of its own."""

import pandas as pd

from retrainer.components.lib.text_times import read_times


def test_each_time_is_read_in_its_own_form_whichever_comes_first():
    texts = {
        "2026-11-26T08:00:00.000001+00:00": "2026-11-26 08:00:00.000001+00:00",
        "2026-11-26T08:00:00+00:00": "2026-11-26 08:00:00+00:00",
        "2026-11-26T10:00:00+02:00": "2026-11-26 08:00:00+00:00",
        "2026-11-26 08:00": "2026-11-26 08:00:00+00:00",
        "2026-11-26": "2026-11-26 00:00:00+00:00",
    }
    for given in (texts, dict(reversed(texts.items()))):
        found = read_times(pd.Series([*given, "soon", None], dtype=object))
        assert [str(time) for time in found] == [*given.values(), "NaT", "NaT"]


def test_times_that_are_no_text_stay_what_they_are():
    texts = ["2026-11-26T08:00:00.5Z", "2026-11-26T08:00:01Z"]
    moments = pd.Series([pd.Timestamp(text) for text in texts])
    assert list(read_times(moments)) == list(moments)
