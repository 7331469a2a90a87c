import re

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.formats.names import (
    NAME_RULE,
    check_labels,
    check_run_id,
    to_run_id,
)


@pytest.mark.parametrize("run_id", ["", "A", "1a", "a_b", "a.b", "a" * 129, "a b", "é"])
def test_an_id_that_vertex_would_refuse_is_refused_with_the_rule(run_id):
    with pytest.raises(RetrainerError, match="lower case letters, digits and dashes"):
        check_run_id(run_id)


def test_a_longest_id_passes():
    assert check_run_id("a" * 128)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"Team": "a"}, "label 'Team'"),
        ({"1": "a"}, "label '1'"),
        ({"k" * 64: "a"}, r"\(64 here\)"),
        ({"team": "A"}, "value 'A'"),
        ({"team": "v" * 64}, r"\(64 here\)"),
        ({f"k{i}": "" for i in range(65)}, "65 labels"),
    ],
)
def test_a_label_that_google_cloud_would_refuse_is_refused_with_the_rule(labels, says):
    with pytest.raises(ValueError, match=says):
        check_labels(labels)


@pytest.mark.parametrize("readable", ["2013-04", "a/b c", "ünïcode", "", "x" * 500, "---"])
@pytest.mark.parametrize("pipeline", ["flights", "p" * 128])
def test_an_id_made_of_a_cause_is_one_that_services_take(pipeline, readable):
    assert re.fullmatch(NAME_RULE, to_run_id(pipeline, readable, "trigger", "key"))


def test_the_same_cause_gives_the_same_id_and_another_one_another():
    ids = {
        to_run_id("flights", "2013-04", "new-data", "a"),
        to_run_id("flights", "2013-04", "new-data", "b"),
        to_run_id("flights", "2013-04", "new", "data-a"),
        to_run_id("flights", "2013/04", "new-data", "a"),
        to_run_id("x" * 200, "2013-04", "new-data", "a"),
    }
    assert len(ids) == 5
    assert to_run_id("flights", "2013-04", "t", "k") == to_run_id("flights", "2013-04", "t", "k")
