"""The image's part as a worker of Beam's engines: which boot program it has, and when that runs."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENTRY_POINT = ROOT / "tools/worker/entrypoint.sh"


def test_the_boot_program_is_of_the_image_s_beam():
    module = (ROOT / "tools/worker/go.mod").read_text()
    locked = (ROOT / "requirements/py313.txt").read_text()
    (of_boot,) = re.findall(r"github.com/apache/beam/sdks/v2 v(\S+)", module)
    (of_beam,) = re.findall(r"^apache-beam(?:\[\w+\])?==(\S+)", locked, re.MULTILINE)
    assert of_boot == of_beam


def test_a_command_runs_as_it_is():
    done = subprocess.run(
        [ENTRY_POINT, "sh", "-c", 'echo "$0 $1"', "a b", "--id=1"], capture_output=True, text=True
    )
    assert done.stdout == "a b --id=1\n"


@pytest.mark.skipif(Path("/opt/apache/beam/boot").exists(), reason="boot is here")
def test_an_image_without_the_boot_program_says_so():
    done = subprocess.run([ENTRY_POINT, "--id=1"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "BEAM_BOOT=no" in done.stderr
