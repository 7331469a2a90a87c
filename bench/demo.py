"""`make pair`: the first four retrains of the demo, beside an earlier commit's, alternating on the same machine.

From the start of `retrainer demo` until the record of its fourth run has ended; the demo is stopped there. Both run in
this checkout's environment, so that only the code differs. Exits with 1 if a run fails or the bound does not hold.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "bench" / "out" / "demo"
BEFORE = "d94a286"
LAST_RUN = "4-worse-model"
MOST_SHARE = 0.6
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 900.0
# `retrainer.pipelines.cli` was a module at the earlier commit.
CODE = """
try:
    from retrainer.pipelines.cli.main import main
except ModuleNotFoundError:
    from retrainer.pipelines.cli import main
main()
"""


def main() -> int:
    """Run the bench.

    Returns:
        The exit code: 1 if the bound does not hold.
    """
    parser = argparse.ArgumentParser(description="The demo's first four runs, now and before.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each runs")
    parser.add_argument("--before", default=BEFORE, help="the commit to compare with")
    arguments = parser.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    earlier = OUT / "before"
    check_out(arguments.before, earlier)
    seconds: dict[str, list[float]] = {"before": [], "now": []}
    for number in range(arguments.rounds):
        for name, checkout in (("before", earlier), ("now", ROOT)):
            taken = run_demo(name, checkout)
            print(f"round {number + 1}, {name}: {taken:.1f} s", flush=True)
            seconds[name].append(taken)
    return show(seconds, arguments.before)


def check_out(commit: str, folder: Path) -> None:
    """Write a commit's code into a folder.

    Raises:
        SystemExit: If the commit is not there.
    """
    folder.mkdir()
    archive = ["git", "-C", str(ROOT), "archive", commit, "components", "pipelines"]
    packed = subprocess.run(archive, capture_output=True)
    if packed.returncode:
        sys.exit(packed.stderr.decode())
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)


def run_demo(name: str, checkout: Path) -> float:
    """Run a checkout's demo until its fourth run has ended.

    Returns:
        Seconds from its start.

    Raises:
        SystemExit: If it ends or fails before.
    """
    packages = OUT / f"packages-{name}" / "retrainer"
    packages.mkdir(parents=True, exist_ok=True)
    for part in ("components", "pipelines"):
        link = packages / part
        if not link.exists():
            link.symlink_to(checkout / part)
    folder = OUT / f"demo-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    record = folder / "store" / "runs" / LAST_RUN / "run.json"
    log = OUT / f"{name}.log"
    with log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-c", CODE, "demo", "--dir", str(folder)],
            env={**os.environ, "PYTHONPATH": str(packages.parent)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            while (state := read_state(record)) in ("", "running"):
                if process.poll() is not None or time.monotonic() - started > PATIENCE_SECONDS:
                    sys.exit(f"the demo {name} did not come to '{LAST_RUN}'; see {log}")
                time.sleep(POLL_SECONDS)
            taken = time.monotonic() - started
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    if state != "succeeded":
        sys.exit(f"'{LAST_RUN}' of the demo {name} is {state}; see {log}")
    return taken


def read_state(record: Path) -> str:
    """Read the state of a run; empty if there is no record yet."""
    try:
        return str(json.loads(record.read_text())["state"])
    except (FileNotFoundError, ValueError):
        return ""


def show(seconds: dict[str, list[float]], commit: str) -> int:
    """Print the table.

    Returns:
        1 if the bound does not hold, else 0.
    """
    table = Table(title="The demo's first four runs, from start")
    for heading in ("", "median", "all"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, title in (("before", f"at {commit}"), ("now", "now")):
        every = ", ".join(f"{one:.1f}" for one in seconds[name])
        table.add_row(title, f"{median(seconds[name]):.1f} s", every)
    share = median(seconds["now"]) / median(seconds["before"])
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    console.print(f"{share:.2f} of the time; bound {MOST_SHARE:g}")
    results = {"seconds": seconds, "share": share, "before": commit}
    (OUT.parent / "demo.json").write_text(json.dumps(results, indent=2) + "\n")
    return int(share > MOST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
