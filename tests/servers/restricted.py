"""Containers as the strictest cluster runs them.

That is Pod Security "restricted" (kubernetes.io/docs/concepts/security/pod-security-standards), an arbitrary user of
group 0 without a name and a home (docs.openshift.com, "Support arbitrary user ids"), and /tmp alone to write to. The
default profile of seccomp is on, as always with Docker.
"""

import subprocess
from typing import Any

RESTRICTED = (
    "--user=54321:0",
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
# The same, as Docker's package for Python has it.
RESTRICTED_OPTIONS: dict[str, Any] = {
    "user": "54321:0",
    "read_only": True,
    "tmpfs": {"/tmp": ""},
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
}


def docker(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Docker's command."""
    command = ["docker", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)
