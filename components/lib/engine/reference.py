"""Beam's runners and pipeline options, from a file: Beam need not be loaded or installed.

Importing Beam takes seconds. `tools/beam_reference.py` writes the file from the installed Beam (`make docs`), with an
entry for each dependency line, and a test compares it with the installed one on each line.
"""

import functools
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

_FILE = "beam_reference.json"

TEXT, WHOLE, NUMBER = "text", "whole number", "number"
FLAG, NEGATIVE_FLAG = "flag", "negative flag"
LIST, MAPPING, ANYTHING = "list", "mapping", "anything"

Kind = str | tuple[str, ...]
"""What an option takes: one of the words above, or the values that it may have."""

# Flink's job server describes these to Beam's Python, which has none of them itself. Beam's
# website/www/site/layouts/shortcodes/flink_python_pipeline_options.html
_OF_FLINKS_JOB_SERVER = (
    "allow_non_restored_state",
    "auto_balance_write_files_sharding_enabled",
    "auto_watermark_interval",
    "checkpoint_timeout_millis",
    "checkpointing_interval",
    "checkpointing_mode",
    "disable_metrics",
    "execution_mode_for_batch",
    "execution_retry_delay",
    "externalized_checkpoints_enabled",
    "fail_on_checkpointing_errors",
    "faster_copy",
    "finish_bundle_before_checkpointing",
    "flink_conf_dir",
    "latency_tracking_interval",
    "max_bundle_size",
    "max_bundle_time_mills",
    "min_pause_between_checkpoints",
    "num_concurrent_checkpoints",
    "number_of_execution_retries",
    "object_reuse",
    "operator_chaining",
    "re_iterable_group_by_key_result",
    "report_checkpoint_duration",
    "retain_externalized_checkpoints_on_cancellation",
    "savepoint_path",
    "shutdown_sources_after_idle_ms",
    "state_backend",
    "state_backend_factory",
    "state_backend_storage_path",
)


def installed_beam() -> str:
    """Return the installed Beam's version as `2.72`; empty if Beam is not installed."""
    try:
        return ".".join(version("apache-beam").split(".")[:2])
    except PackageNotFoundError:
        return ""


@functools.cache
def option_kinds(beam: str = "") -> Mapping[str, Kind]:
    """List Beam's pipeline options by name, without dashes.

    Args:
        beam: A version of Beam such as `2.72`; empty, or one that the file lacks: the options of all that it has.

    Returns:
        What each option takes.
    """
    kinds: dict[str, Kind] = dict.fromkeys(_OF_FLINKS_JOB_SERVER, ANYTHING)
    for entry in _entries(beam):
        for name, kind in entry["options"].items():
            if isinstance(kind, str):
                kinds[name] = kind
            else:
                before = kinds.get(name, ())
                kinds[name] = tuple(dict.fromkeys([*before, *kind]))
    return kinds


@functools.cache
def runner_names(beam: str = "") -> tuple[str, ...]:
    """List the classes of Beam's runners.

    Args:
        beam: As `option_kinds` takes it.
    """
    return tuple(dict.fromkeys(name for entry in _entries(beam) for name in entry["runners"]))


def _entries(beam: str) -> list[dict[str, Any]]:
    known = _reference()
    return [known[beam]] if beam in known else list(known.values())


@functools.cache
def _reference() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = json.loads(
        (files(__package__) / _FILE).read_text(encoding="utf-8")
    )
    return loaded
