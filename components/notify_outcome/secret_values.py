"""Passwords, secrets and addresses that retrain.yaml never holds: in the environment, or in a file."""

import os
from dataclasses import dataclass

from ..lib.errors import RetrainerError
from ..lib.messages.send_errors import NotSentError
from ..lib.uris import read_text


@dataclass(frozen=True)
class SecretValue:
    """Where a secret is.

    Attributes:
        what: What it is, for messages, such as `the address`.
        env: Name of the environment variable that holds it; empty for none.
        file: URI of the file that holds it; empty for none.
    """

    what: str
    env: str = ""
    file: str = ""

    def read(self) -> str:
        """Read the secret, without white space around it.

        Raises:
            NotSentError: If it is missing or can't be read.
        """
        if self.file:
            return self._from_file()
        value = os.environ.get(self.env, "").strip()
        if not value:
            raise NotSentError(
                f"{self.what} is missing: the environment variable {self.env} is empty or not set where this runs"
            )
        return value

    def _from_file(self) -> str:
        try:
            value = read_text(self.file).strip()
        except (RetrainerError, OSError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise NotSentError(
                f"{self.what} can't be read from '{self.file}': {reason}", transient=True
            ) from error
        if not value:
            raise NotSentError(f"{self.what} is missing: '{self.file}' is empty")
        return value
