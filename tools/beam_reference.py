"""Write what is known of Beam's pipeline options without Beam, from the installed Beam (part of `make docs`).

Each dependency line has its own Beam: the entry of the installed one is written, those of the others are kept.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from apache_beam.options import pipeline_options
from apache_beam.version import __version__

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "components/lib/engine/beam_reference.json"
_LOCKED = re.compile(r"^apache-beam==(\d+\.\d+)", re.MULTILINE)
_LISTS = ("_AppendAction", "_CommaSeparatedListAction")


def reference() -> str:
    """Format the options and runners of each dependency line's Beam as the file has them.

    Returns:
        JSON: for each minor version that a lock file names, `runners`, the names of Beam's classes, and `options`, what
        kind of value each takes; a list holds the values that it may have.
    """
    locks = [path.read_text(encoding="utf-8") for path in (ROOT / "requirements").glob("*.txt")]
    locked = {version for lock in locks for version in _LOCKED.findall(lock)}
    kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    installed = ".".join(__version__.split(".")[:2])
    entries = {version: entry for version, entry in kept.items() if version in locked}
    entries[installed] = {
        "runners": sorted(pipeline_options.StandardOptions.KNOWN_RUNNER_NAMES),
        "options": dict(sorted(_options())),
    }
    # An option a line, so that a difference shows what another version of Beam changed.
    return json.dumps(dict(sorted(entries.items())), indent=1) + "\n"


def _options() -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for group in vars(pipeline_options).values():
        if not isinstance(group, type) or not issubclass(group, pipeline_options.PipelineOptions):
            continue
        if add_options := vars(group).get("_add_argparse_args"):
            parser = pipeline_options._BeamArgumentParser(allow_abbrev=False, add_help=False)
            add_options.__func__(group, parser)
            found += [
                (option.removeprefix("--"), _kind(action, option))
                for action in parser._actions
                for option in action.option_strings
            ]
    return found


def _kind(action: argparse.Action, option: str) -> Any:
    name = type(action).__name__
    if name == "_StoreTrueAction":
        return "flag"
    if name == "_StoreFalseAction":
        return "negative flag"
    if name in _LISTS or option == "--gcs_custom_audit_entry":
        return "list"
    if option == "--gcs_custom_audit_entries":
        return "mapping"
    if action.choices:
        return [str(choice) for choice in action.choices]
    if action.type in (int, float):
        return "whole number" if action.type is int else "number"
    # Functions that read JSON: json.loads, and one around it.
    return "text" if action.type in (None, str) else "mapping"


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
