"""Time push_model of a 500 MB model to a folder and to S3, beside a plain copy of the same files.

    .venv/bin/python -m bench.push [--megabytes 500] [--rounds 5]

The model is a large file of variables and 200 small files. The S3 server is Versity's gateway on loopback, the client
s3fs. The plain copies are `shutil.copytree`, and `s3fs`'s own recursive `put`. Push and copy take turns, and each round
writes to a new place. The median round counts.
"""

import argparse
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
BOUNDS = {"S3": 1.2}
"""The most that a push may take, as a multiple of the plain copy.

To a folder there is none: a copy within the page cache takes less than SHA-256 of the same bytes.
"""
SMALL_FILES, SMALL_BYTES = 200, 20_000


def make_model(folder: Path, size: int) -> str:
    """Write a folder like a SavedModel of a size in bytes."""
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "saved_model.pb").write_bytes(os.urandom(1_000_000))
    with open(folder / "variables" / "variables.data-00000-of-00001", "wb") as file:
        for _ in range(size // 1_000_000):
            file.write(os.urandom(1_000_000))
    for number in range(SMALL_FILES):
        (folder / "assets" / f"words-{number:03d}.txt").write_bytes(os.urandom(SMALL_BYTES))
    return str(folder)


def push_to(model: str, store: str, work: Path) -> None:
    """Push a model that is blessed and serves."""
    from retrainer.components.lib.verdicts import Blessing
    from retrainer.components.push_model.push import push

    blessing = work / "blessing"
    if not blessing.exists():
        from retrainer.components.lib.digests import digest_folder

        Blessing(True, (), "blessed: bench", digest_folder(model), None).write(str(blessing))
    verdict = push(model, str(blessing), None, store, str(work / "pushed"), {"run": "bench"})
    assert verdict.startswith("pushed as version 1"), verdict


def put_folder(model: str, uri: str) -> None:
    """Copy a folder with fsspec's own recursive put."""
    import fsspec

    fs, path = fsspec.core.url_to_fs(uri)
    fs.put(model, path, recursive=True)


def clock(work: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(
    name: str,
    rounds: int,
    push_one: Callable[[int], Any],
    copy_one: Callable[[int], Any],
    clean: Callable[[], Any],
) -> dict[str, Any]:
    """Time push and copy in turns; the first round warms up and does not count."""
    pushed: list[float] = []
    copied: list[float] = []
    for number in range(rounds + 1):
        # Whoever comes second may find the disk busy with the first one's pages.
        order = [(push_one, pushed), (copy_one, copied)]
        for work, times in order if number % 2 else order[::-1]:
            subprocess.run(["sync"], check=True)
            times.append(clock(partial(work, number)))
            clean()
    pair = statistics.median(pushed[1:]), statistics.median(copied[1:])
    return {
        "to": name,
        "push_seconds": round(pair[0], 3),
        "copy_seconds": round(pair[1], 3),
        "ratio": round(pair[0] / pair[1], 2),
    }


def main() -> None:
    """Run the bench and print a table."""
    from retrainer.components.lib.digests import digest_folder

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-s3", action="store_true")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="retrainer-bench-") as temporary:
        work = Path(temporary)
        model = make_model(work / "model", arguments.megabytes * 1_000_000)
        here = work / "here"
        hashing = statistics.median(clock(lambda: digest_folder(model)) for _ in range(3))

        def clean() -> None:
            shutil.rmtree(here, ignore_errors=True)

        here.mkdir()
        results.append(
            compare(
                "a folder",
                arguments.rounds,
                lambda number: push_to(model, str(here / f"store-{number}"), work),
                lambda number: shutil.copytree(model, here / f"copy-{number}"),
                clean,
            )
        )
        if not arguments.no_s3:
            s3 = importlib.import_module("servers.s3")

            (work / "s3").mkdir()
            with s3.S3Server(work / "s3") as server:

                def empty() -> None:
                    for one in server.bucket.iterdir():
                        shutil.rmtree(one, ignore_errors=True)

                results.append(
                    compare(
                        "S3",
                        arguments.rounds,
                        lambda number: push_to(model, f"s3://{s3.BUCKET}/store-{number}", work),
                        lambda number: put_folder(model, f"s3://{s3.BUCKET}/copy-{number}"),
                        empty,
                    )
                )
    print(f"SHA-256 of the model alone: {hashing:.2f} s")
    print("| to | push_model | plain copy | |\n|---|---|---|---|")
    for one in results:
        print(
            f"| {one['to']} | {one['push_seconds']:.2f} s | {one['copy_seconds']:.2f} s | {one['ratio']:.2f} times |"
        )
    print(json.dumps(results))
    for one in results:
        bound = BOUNDS.get(one["to"])
        if bound and one["ratio"] > bound:
            sys.exit(f"a push to {one['to']} takes more than {bound} times as long as a plain copy")


if __name__ == "__main__":
    main()
