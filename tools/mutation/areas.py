"""The areas of logic that matters: their modules, and the tests that run for each of them."""

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Area:
    """Logic that matters.

    Attributes:
        modules: Patterns of its modules.
        tests: Test files and folders that run for each of them, after those that import it.
        without: Patterns of modules that only show something.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()


AREAS = {
    "gate": Area(
        (
            "components/evaluate_model/*.py",
            "components/lib/evaluation/*.py",
            "components/lib/evaluation/array_metrics/*.py",
            "components/push_model/*.py",
            "components/lib/verdicts.py",
        ),
        (
            "tests/components/evaluate_model/test_gate.py",
            "tests/components/evaluate_model/test_thresholds.py",
            "tests/components/lib/evaluation",
            "tests/components/evaluate_model/test_undefined_metrics.py",
            "tests/components/evaluate_model/test_input_problems.py",
            "tests/components/evaluate_model/test_evaluate.py",
            "tests/components/evaluate_model/test_champion_comparison.py",
            "tests/components/evaluate_model/evidence",
            "tests/components/evaluate_model/report",
            "tests/components/evaluate_model/test_bad_input.py",
            "tests/components/push_model",
            "tests/components/evaluate_model/array_metrics",
        ),
        ("*report*", "*plot*", "*chart*", "*table*", "*_page*", "*section*", "*marks*"),
    ),
    "registry": Area(
        (
            "components/lib/registry/registry.py",
            "components/lib/registry/aliases.py",
            "components/lib/deletions.py",
            "components/lib/registry/model_files.py",
            "components/lib/registry/model_versions.py",
            "components/lib/registry/promotions.py",
            "components/lib/version_uses.py",
            "components/lib/numbered_records.py",
            "components/resolve_champion/*.py",
        ),
        (
            "tests/components/resolve_champion",
            "tests/components/push_model",
            "tests/components/lib/registry/test_registry.py",
            "tests/components/lib/test_deletions.py",
            "tests/components/lib/registry/test_model_files.py",
            "tests/components/lib/registry/test_promotions.py",
            "tests/pipelines/triggers/claims/test_store.py",
        ),
    ),
    "rollout": Area(
        ("components/lib/serving/*.py", "components/watch_rollout/*.py"),
        (
            "tests/components/lib/serving/test_*.py",
            "tests/components/watch_rollout",
            "tests/components/lib/test_deletions.py",
        ),
    ),
    "claims": Area(("pipelines/triggers/claims/*.py",), ("tests/pipelines/triggers/claims",)),
    "dispatch": Area(
        (
            "pipelines/triggers/*.py",
            "pipelines/triggers/kinds/*.py",
            "pipelines/triggers/messages/*.py",
        ),
        (
            "tests/pipelines/triggers/test_*.py",
            "tests/pipelines/triggers/messages",
            "tests/pipelines/triggers/service/test_pu*.py",
            "tests/pipelines/triggers/service/test_incident_poller.py",
        ),
    ),
    "caching": Area(
        ("pipelines/local/caching.py", "components/lib/runs/reuse.py", "components/lib/digests.py"),
        ("tests/pipelines/local/test_caching.py", "tests/components/lib/runs/test_reuse.py"),
    ),
    "windows": Area(
        (
            "components/lib/spans/*.py",
            "components/lib/registry/recency.py",
        ),
        (
            "tests/components/lib/spans",
            "tests/components/lib/bigquery/test_bigquery_tables.py",
            "tests/components/lib/registry/test_recency.py",
            "tests/components/ingest_spans/test_ingest.py",
            "tests/components/ingest_spans/test_ingest_types.py",
            "tests/components/ingest_spans/test_ingest_windows.py",
            "tests/components/lib/source_rows/test_download.py",
        ),
    ),
    "drift": Area(
        ("components/validate_examples/*.py", "components/validate_examples/checks/*.py"),
        ("tests/components/validate_examples",),
        ("*report*", "*words*", "*accept*"),
    ),
    "ingestion": Area(
        (
            "components/ingest_spans/*.py",
            "components/lib/source_rows/*.py",
            "components/lib/source_rows/sources/*.py",
        ),
        (
            "tests/components/lib/source_rows/test_*.py",
            "tests/components/ingest_spans/test_hash_split.py",
            "tests/components/ingest_spans/test_ingest.py",
            "tests/components/ingest_spans/test_ingest_types.py",
            "tests/components/ingest_spans/test_ingest_windows.py",
            "tests/components/ingest_spans/test_ingest_sources.py",
            "tests/components/ingest_spans/test_private_columns.py",
            "tests/components/lib/source_rows/sources/test_csv_files.py",
            "tests/components/lib/source_rows/sources/test_json_lines.py",
        ),
    ),
}
# Metrics from arrays beside TFMA's own: slow tests, for the modules that compute them.
NUMBERS = tuple(
    f"tests/components/evaluate_model/test_{name}.py"
    for name in ("rankings", "metrics_equal_tfma", "in_process")
)
NUMBER_MODULES = re.compile(
    r"/array_metrics/|/(confidence_intervals|in_process|on_beam|slices|metric_columns|ranking_columns|list_values|tfma_results)\.py$"
)
# What a component or a command says to kfp and to the user's eye.
FACES = ("*/__init__.py", "*/component.py", "*/task.py")


def modules_of(area: Area) -> list[str]:
    """List an area's modules.

    Raises:
        SystemExit: If a pattern matches none: a module was renamed.
    """
    found = []
    for pattern in area.modules:
        paths = sorted(str(path) for path in Path().glob(pattern))
        if not paths:
            raise SystemExit(
                f"no module matches '{pattern}': name the new one in {Path(__file__).name}"
            )
        found += paths
    without = (*area.without, *FACES)
    return [path for path in found if not any(fnmatch.fnmatch(path, one) for one in without)]


def tests_of(area: str, path: str) -> tuple[list[str], list[str]]:
    """List the test files of a module: that of its name and those that import it, and the others of its area."""
    module = path.removesuffix(".py").replace("/", ".")
    package, _, name = module.rpartition(".")
    here = Path("tests", path).parent
    imports = re.compile(
        rf"retrainer\.{re.escape(module)}\b|retrainer\.{re.escape(package)} import .*\b{name}\b"
    )
    importing = [file for file in here.rglob("test_*.py") if imports.search(read(str(file)))]
    files = [here / f"test_{name}.py", *sorted(importing)]
    near = dict.fromkeys(str(file) for file in files if file.exists())
    others = [file for pattern in AREAS[area].tests for file in test_files(pattern)]
    if NUMBER_MODULES.search(path):
        others = [*NUMBERS, *others]
    known = [file for file in dict.fromkeys(others) if not _of_other_component(file, here)]
    return list(near), [file for file in known if file not in near]


def _of_other_component(file: str, here: Path) -> bool:
    """Report whether a test is of a component that can't use a module: a component imports no other."""
    own, of_file = here.parts[1:3], Path(file).parts[1:-1][:2]
    components = [
        place[1] for place in (own, of_file) if place[:1] == ("components",) and place[1:]
    ]
    return len(components) == 2 and "lib" not in components and own != of_file


def test_files(pattern: str) -> list[str]:
    """List test files behind a file, a folder or a pattern."""
    path = Path(pattern)
    found = path.rglob("test_*.py") if path.is_dir() else Path().glob(pattern)
    files = sorted(str(file) for file in found)
    if not files:
        raise SystemExit(f"no test matches '{pattern}': name the new one in {Path(__file__).name}")
    return files


def read(path: str) -> str:
    """Read a file of the repository."""
    return Path(path).read_text(encoding="utf-8")
