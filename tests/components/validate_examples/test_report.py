"""The report stays usable whatever columns are called and however many there are."""

import re

import numpy as np
import pandas as pd
import pytest

ROWS = 120
NAMES = ["a column with spaces", "Größe \u202eabc", "<script>alert(1)</script>", "x" * 200, "\"'&;"]


def span(seed: int, columns: list[str]) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {name: random.normal(size=ROWS) for name in columns} | {"late": np.arange(ROWS) % 2}
    )


def test_names_of_any_kind_are_shown_and_none_is_run(judge):
    spans = {f"s{i}": span(i, NAMES) for i in range(3)}
    spans["s2"] = spans["s2"].drop(columns=NAMES[:4])
    outcome = judge(spans, domains={})
    assert len(outcome.found("error")) == 4
    assert "<script" not in outcome.page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;</b> missing column" in outcome.page
    assert f"<b><bdi>{NAMES[1]}</bdi></b> missing column" in outcome.page
    assert "<code>lifecycle_stage: DEPRECATED</code>" in outcome.page


def test_a_card_names_its_datasets_briefly_and_the_legend_says_what_they_are(judge):
    page = judge({f"s{i}": span(i, ["x"]) for i in range(3)}, domains={}).page
    assert page.count("training: the earlier spans") == 1
    assert ">training</span> mean" in page
    spans = page[page.index("<h2>Spans") :]
    assert spans.count("<td>training</td>") == 2
    assert spans.count("<td>evaluation</td>") == 1


@pytest.fixture
def wide(judge):
    columns = [f"column_{i}" for i in range(400)]
    spans = {f"s{i}": span(i, columns) for i in range(3)}
    spans["s2"] = spans["s2"].drop(columns=columns[:320])
    return judge(spans, domains={})


def test_of_many_findings_the_first_stand_open_and_the_columns_follow(wide):
    page = wide.page
    assert len(wide.found("error")) == 320
    folded = page.index("<details><summary>270 more</summary>")
    assert page[:folded].count("missing column <span") == 50
    assert page.index("columns drifted") < page.index("<h2>Findings") < folded
    assert folded < page.index("<h2>Columns") < page.index("<h2>Spans")
    assert page.count("<h3>column_") == 300
    assert "and 101 more columns, 20 of them with findings" in page
    assert len(page) < 1_500_000
    assert not re.search(r"""(src|href)\s*=|url\(|@import|https?://""", page)


@pytest.mark.parametrize(
    ("label", "headings", "cells"),
    [
        (np.arange(ROWS) % 3, ["late = 0", "late = 1", "late = 2"], ["33.3 %"] * 3),
        (np.arange(ROWS) % 2, ["rate of late"], ["50 %"]),
        (np.linspace(10.0, 12.0, ROWS) ** 2, ["mean of late", "median of late"], ["121.3"]),
    ],
)
def test_the_spans_say_how_their_label_is_distributed(judge, label, headings, cells):
    spans = {f"s{i}": span(i, ["x"]).assign(late=label) for i in range(3)}
    page = judge(spans, domains={}, severity={"same_data": "ignore"}).page
    table = page[page.index("<h2>Spans") :]
    assert re.findall(r"<th[^>]*>([^<]*late[^<]*)</th>", table) == headings
    for cell in cells:
        assert table.count(f">{cell}</td>") >= 3
