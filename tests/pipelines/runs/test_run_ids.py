"""Names of runs."""

import re

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.formats.names import NAME_RULE
from retrainer.pipelines.runs.run_ids import check_local_run_id, new_run_id


def test_runs_that_start_in_the_same_second_get_different_names():
    # Of 200 names with 20 random bits each, two are the same once in fifty times; 190 differ always.
    assert len({new_run_id("orders") for _ in range(200)}) > 190


@pytest.mark.parametrize("length", [1, 112, 113, 128])
def test_a_pipeline_of_any_length_gives_a_name_that_every_target_takes(length):
    name = new_run_id("a" * length)
    assert re.fullmatch(NAME_RULE, name)
    assert check_local_run_id(name) == name


def test_a_name_that_is_cut_at_a_dash_has_one_dash_there():
    assert "--" not in new_run_id("a" * 104 + "-" * 24)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a b", "x" * 129])
def test_a_name_that_is_no_folders_is_refused(name):
    with pytest.raises(RetrainerError, match="is not a valid run name"):
        check_local_run_id(name)
