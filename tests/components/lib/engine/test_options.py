"""Options are read without loss, written as Beam takes them, and checked by kind and name."""

import pytest

from retrainer.components.lib.engine.options import (
    ArgumentError,
    option_problems,
    read_arguments,
    write_arguments,
)


def test_both_ways_to_give_a_value_are_read():
    arguments = ["--project", "acme", "--num_workers=3", "--label=a=b", "--label", "c=d"]
    assert read_arguments([*arguments, "--streaming", "--no_use_public_ips"]) == {
        "project": "acme",
        "num_workers": 3,
        "label": ["a=b", "c=d"],
        "streaming": True,
        "no_use_public_ips": True,
    }
    assert read_arguments(["--region=a", "--region=b"]) == {"region": "b"}
    assert read_arguments(['--beam_services={"a": "b"}']) == {"beam_services": {"a": "b"}}
    assert read_arguments([]) == {}


@pytest.mark.parametrize(
    ("arguments", "index"),
    [
        (["foo"], 0),
        (["--streaming", "true"], 1),
        (["-p", "x"], 0),
        (["--region=a", "b"], 1),
        (["--"], 0),
    ],
)
def test_what_is_no_option_is_named_by_its_position(arguments, index):
    with pytest.raises(ArgumentError, match=f"'{arguments[index]}' is no option") as raised:
        read_arguments(arguments)
    assert raised.value.index == index


def test_arguments_that_are_read_and_written_are_the_same():
    arguments = [
        "--runner=FlinkRunner",
        "--parallelism=4",
        "--label=a=b",
        "--label=c",
        "--streaming",
    ]
    assert write_arguments(read_arguments(arguments)) == arguments


def test_a_false_flag_becomes_the_flag_against_it_where_there_is_one():
    assert write_arguments({"use_public_ips": False, "streaming": False}) == ["--no_use_public_ips"]
    assert write_arguments({"no_use_public_ips": False, "region": None}) == []
    assert write_arguments({"use_public_ips": "false", "streaming": "true"}) == [
        "--no_use_public_ips",
        "--streaming",
    ]
    assert write_arguments({"object_reuse": True}) == ["--object_reuse=true"]


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("num_worker", 3, "is no option of Beam's. Did you mean 'num_workers'?"),
        ("--num_workers", 3, "is no option of Beam's. Did you mean 'num_workers'?"),
        ("machine-type", "n1", "is no option of Beam's. Did you mean 'machine_type'?"),
        ("zzzzzz", "n1", "is no option of Beam's."),
        ("num_workers", "three", "must be a whole number and is 'three'."),
        ("num_workers", 2.5, "must be a whole number and is 2.5."),
        ("num_workers", True, "must be a whole number."),
        ("profile_sample_rate", "much", "must be a number and is 'much'."),
        ("streaming", "yes", "must be true or false and is 'yes'."),
        ("region", ["a"], "must be a text."),
        ("region", True, "must be a text."),
        ("experiments", [["a"]], "must be a list of texts."),
        ("beam_services", "a", "must be a mapping, such as {name: value} and is 'a'."),
        ("flexrs_goal", "CHEAP", "must be COST_OPTIMIZED or SPEED_OPTIMIZED and is 'CHEAP'."),
        ("environment_config", ["a"], "must be a text."),
    ],
)
def test_a_wrong_option_is_described(option, value, text):
    (problem,) = option_problems({option: value})
    assert (problem.name, problem.text) == (option, text)


def test_right_values_of_every_kind_pass():
    options = {
        "num_workers": "3",
        "max_num_workers": -1,
        "profile_sample_rate": 1,
        "streaming": "False",
        "region": "europe-west1",
        "hdfs_port": 8020,
        "experiments": "one",
        "labels": {"a": 1},
        "flink_version": 1.19,
        "environment_config": {"command": "x"},
        "transform_name_mapping": {},
        "checkpointing_interval": 1000,
        "temp_location": None,
    }
    assert list(option_problems(options)) == []


def test_an_option_of_another_release_of_beam_is_unknown_to_this_one():
    (problem,) = option_problems({"disk_provisioned_iops": 1}, "2.72")
    assert "is no option" in problem.text
    assert not list(option_problems({"disk_provisioned_iops": 1}, "2.77"))
