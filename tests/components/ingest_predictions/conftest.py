"""A store with a champion, and a folder for the logs of its server."""

from pathlib import Path

import pytest
from servers.log_project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.push()
    return made
