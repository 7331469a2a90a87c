"""Whether the folders that retrain.yaml names can hold what a run writes."""

import os
from collections.abc import Iterator

import fsspec

from ...components.lib.evaluation.config_checks import Problem
from ...components.lib.uris import is_local
from .sections.retrain import RetrainConfig

# TensorFlow finds no model in a folder whose name it reads as a pattern.
# Source: `MatchPath` of tensorflow/core/platform/default/env.cc is fnmatch, whose special characters are these.
_WILDCARDS = "*?[\\"


def place_problems(config: RetrainConfig) -> Iterator[Problem]:
    """Find what is wrong with the store and the folder of the runs' artifacts, as far as it shows without opening them.

    Args:
        config: The configuration.

    Yields:
        A problem, with its place.
    """
    for place, uri in (("store", config.store), ("pipeline_root", config.artifacts_uri)):
        if problem := _problem_of(uri):
            yield Problem(f"{place} is '{uri}', {problem}.", place=place)
            # The other one is inside of it by default.
            return


def _problem_of(uri: str) -> str:
    if found := next((character for character in uri if character in _WILDCARDS), ""):
        return f"and TensorFlow reads its '{found}' as a wildcard. Choose a folder without *, ?, [ and \\"
    if not is_local(uri):
        scheme = uri.partition("://")[0]
        known = fsspec.available_protocols()
        return (
            ""
            if scheme in known
            else f"and nothing serves '{scheme}://'. Use gs:// or s3://, or a path"
        )
    path = fsspec.core.strip_protocol(uri)
    there = path
    while not os.path.lexists(there) and there != os.path.dirname(there):
        there = os.path.dirname(there)
    if os.path.isdir(there):
        return ""
    shown = "it" if there == path else f"'{there}'"
    return f"and {shown} is no folder. Name one that exists or can be made"
