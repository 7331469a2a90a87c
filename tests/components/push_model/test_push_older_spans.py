"""A model of older spans than the champion has seen."""

import pytest

DAYS = "data/{span:%d.%m.%Y}.csv"


@pytest.mark.parametrize(
    ("seen", "span", "pattern"),
    [
        ("2026-01-10", "2026-01-09", ""),
        ("10", "9", "data/{span}.csv"),
        # By date, although the text sorts the other way.
        ("01.02.2026", "31.01.2026", DAYS),
    ],
)
def test_a_model_of_an_older_span_does_not_replace_a_champion_that_has_seen_newer_ones(
    gate, seen, span, pattern
):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first), seen, pattern=pattern)
    verdict, pushed = gate.push(second, gate.judge(second, champion=1), span, pattern=pattern)
    words = f"span {span} is older than {seen}, which champion version 1 has seen"
    assert verdict.startswith(f"refused, version 1 still serves: {words}; ")
    assert "--allow-older" in verdict
    assert (pushed["pushed"], gate.champion) == (False, 1)
    verdict, _ = gate.push(
        second, gate.judge(second, champion=1), span, pattern=pattern, allow_older="true"
    )
    assert verdict == f"pushed as version 2, in place of version 1: auc 0.9; {words}"
    assert gate.champion == 2


@pytest.mark.parametrize("span", ["2026-01-10", "2026-01-11"])
def test_the_same_span_again_and_a_newer_one_replace_the_champion(gate, span):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first), "2026-01-10")
    verdict, _ = gate.push(second, gate.judge(second, champion=1), span)
    assert verdict == "pushed as version 2, in place of version 1: auc 0.9"


def test_without_a_span_the_blessings_spans_say_how_old_a_model_is(gate):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first), "4")
    # Judged on span 3.
    assert "span 3 is older than 4" in gate.push(second, gate.judge(second, champion=1))[0]


def test_spans_of_another_pattern_can_not_be_ordered_which_the_verdict_says(gate):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first), "2026-02", pattern="{span:%Y-%m}.csv")
    verdict, _ = gate.push(second, gate.judge(second, champion=1), "01.01.2026", pattern=DAYS)
    assert verdict.startswith("pushed as version 2")
    assert (
        f"'01.01.2026' and the champion's newest span '2026-02' can't be ordered by '{DAYS}'"
        in verdict
    )


def test_the_champion_itself_is_unchanged_even_where_its_span_is_older_now(gate):
    model = gate.model("a")
    gate.push(model, gate.judge(model), "4")
    verdict, pushed = gate.push(model, gate.judge(model, champion=1), "3")
    assert verdict == "unchanged, already the champion (version 1)"
    assert (pushed["pushed"], pushed["version"]) == (True, 1)


def test_the_span_that_a_push_is_given_counts_over_the_blessings(gate):
    first, second = gate.model("a"), gate.model("b")
    gate.push(first, gate.judge(first), "2")
    assert gate.registry.get(1).newest_span == "2"
    # Judged on span 3, and asked for 1.
    verdict, _ = gate.push(second, gate.judge(second, champion=1), "1")
    assert "span 1 is older than 2" in verdict
    verdict, _ = gate.push(second, gate.judge(second, champion=1), "1", allow_older="true")
    assert verdict.startswith(
        "pushed as version 2, in place of version 1: auc 0.9; span 1 is older"
    )
