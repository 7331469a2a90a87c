"""A library of a runner: its tasks check models as `serving_here` says."""

from servers.serving_here import ServerHere

from retrainer.components.check_serving import check

check.Server = ServerHere  # type: ignore[assignment,misc]
