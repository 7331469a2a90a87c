"""What is known of Beam without Beam is what the installed Beam has."""

import importlib.util
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from retrainer.components.lib.engine.options import write_arguments
from retrainer.components.lib.engine.reference import (
    installed_beam,
    option_kinds,
    runner_names,
)


def test_the_file_is_what_the_tool_writes():
    tool = Path(__file__).parents[4] / "tools" / "beam_reference.py"
    spec = importlib.util.spec_from_file_location("write_beam_reference", tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.FILE.read_text(encoding="utf-8") == module.reference(), "run `make docs`"


def test_every_option_is_known_and_none_beside():
    flags = set(PipelineOptions([]).get_all_options()) | {"runner"}
    known = option_kinds(installed_beam())
    # Beam's names of values: a flag against one, such as no_use_public_ips, sets the same value.
    assert flags - {"pubsubRootUrl"} <= {name.removeprefix("no_") for name in known} | set(known)
    assert set(runner_names(installed_beam())) == set(StandardOptions.KNOWN_RUNNER_NAMES)


def test_a_version_that_is_not_known_has_the_options_of_all():
    assert "disk_provisioned_iops" not in option_kinds("2.72")
    assert "disk_provisioned_iops" in option_kinds("2.77")
    assert option_kinds("2.99") == option_kinds("")
    assert {"1.17", "1.20", "2.2"} <= set(option_kinds("")["flink_version"])


def test_beam_reads_what_is_written_as_it_was_meant():
    options = {
        "runner": "DataflowRunner",
        "num_workers": 3,
        "labels": {"team": "ml", "stage": "test"},
        "experiments": ["use_runner_v2", "a=b,c"],
        "use_public_ips": False,
        "save_main_session": False,
        "streaming": False,
        "enable_hot_key_logging": True,
        "sdk_harness_log_level_overrides": {"apache_beam": "WARN"},
        "environment_config": {"command": "/opt/apache/beam/boot"},
        "profile_sample_rate": 0.5,
    }
    arguments = write_arguments(options)
    found = PipelineOptions(arguments).get_all_options(drop_default=True)
    assert found == {
        "runner": "DataflowRunner",
        "num_workers": 3,
        "labels": ["team=ml", "stage=test"],
        "experiments": ["use_runner_v2", "a=b", "c"],
        "use_public_ips": False,
        "save_main_session": False,
        "enable_hot_key_logging": True,
        "sdk_harness_log_level_overrides": {"apache_beam": "WARN"},
        "environment_config": '{"command": "/opt/apache/beam/boot"}',
        "profile_sample_rate": 0.5,
    }
