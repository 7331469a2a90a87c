"""A library of a runner: its tasks check models as `serving_here` says."""

from servers.serving_here import HERE

from retrainer.components.check_serving import check

check.subprocess = HERE  # type: ignore[assignment]
