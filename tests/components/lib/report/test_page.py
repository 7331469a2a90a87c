"""The page and the table that all reports share."""

import re

from markupsafe import Markup

from retrainer.components.lib.report.page import (
    RUN_MARKER,
    Cell,
    Column,
    breakable,
    legend,
    place_of,
    render_page,
    render_table,
)


def page(body="", **more):
    return render_page("Title", "all <is> well", True, {"label": "<y>"}, body, **more)


def test_a_page_needs_no_network_and_says_when_and_by_what_it_was_made():
    html = page(render_table(["a"], [["b"]], "rows"))
    assert not re.findall(r"(?:src|href|url)\s*[=(]|@import|<link|<script [^>]", html)
    assert re.search(r"made \d{4}-\d\d-\d\d \d\d:\d\d UTC by retrainer \d", html)
    assert html.count(RUN_MARKER) == 1
    assert "all &lt;is&gt; well" in html
    assert "&lt;y&gt;" in html


def test_the_style_sheet_is_whole():
    css = page(style=".x { color: red; }").split("<style>")[1].split("</style>")[0]
    assert ".x { color: red; }" in css
    css = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)[^{}]*\}", r"\1", css)
    for rule in re.findall(r"([^{}]+)\{([^{}]*)\}", css):
        for declaration in filter(str.strip, rule[1].split(";")):
            assert re.fullmatch(r"\s*[-\w]+\s*:\s*[^:]+\s*", declaration), (rule[0], declaration)
    assert css.count("{") == css.count("}")


def test_only_a_page_with_tables_to_sort_has_a_script():
    assert "<script" not in page(render_table(["a"], [["b"]]))
    assert page(render_table(["a"], [["b"]], "rows")).count("<script>") == 1


def test_a_table_sorts_by_numbers_and_sets_them_to_the_right():
    html = render_table(
        ["name", "n", Column("wide", wide_only=True)],
        [["<a>", 2, Cell(Markup("<b>x</b>"), 1.5)], ["b", float("nan"), Cell("y")]],
        "things",
        1,
    )
    assert '<th scope="col" class="number">n</th>' in html
    assert '<td class="number" data-v="2.0">2</td>' in html
    assert '<td class="number">nan</td>' in html, "what is no number sorts last"
    assert '<td class="wide-only" data-v="1.5"><b>x</b></td>' in html
    assert "&lt;a&gt;" in html
    assert 'data-search="things" data-rows="1"' in html


def test_a_long_table_scrolls_by_itself_and_a_keyboard_reaches_it():
    assert 'class="scroll tall" tabindex="0"' in render_table(["a"], [["b"]] * 31)
    assert "tall" not in render_table(["a"], [["b"]] * 30)


def test_names_are_escaped_and_break_after_underscores():
    assert breakable("<a>_b") == "&lt;a&gt;_<wbr>b"
    assert "&lt;a&gt;" in legend([("<a>", "red")])


def test_a_place_in_a_bucket_names_pipeline_and_run_and_a_local_one_is_left_out():
    assert (
        place_of("/gcs/bucket/root/123/my-run/task/report")
        == "gs://bucket/root/123/my-run/task/report"
    )
    assert place_of("/minio/b/v2/my-pipeline/run/x") == "minio://b/v2/my-pipeline/run/x"
    assert place_of("/home/me/report.html") == ""
    assert "written to" in page(place="gs://b/x")
    assert "written to" not in page()
