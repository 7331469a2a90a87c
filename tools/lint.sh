#!/bin/sh
# ruff, mypy, which room imports which (import-linter), that every test can be imported, and the documentation: references as the code says, links that lead somewhere.
set -eu
cd "$(dirname "$0")/.."

# mypy finds `retrainer` here; the folders themselves carry other names.
mkdir -p .mypy_links/retrainer
ln -sfn ../../components .mypy_links/retrainer/components
ln -sfn ../../pipelines .mypy_links/retrainer/pipelines

status=0
.venv/bin/ruff check . || status=1
.venv/bin/ruff format --check . || status=1
.venv/bin/mypy -p retrainer.components -p retrainer.pipelines || status=1
.venv/bin/mypy tools/*.py tools/deploy/*.py bench/*.py || status=1
# Apart, because each bench has a run.py.
.venv/bin/mypy bench/trigger/*.py || status=1
MYPYPATH=bench/serve_log .venv/bin/mypy bench/serve_log/*.py || status=1
MYPYPATH=bench/data .venv/bin/mypy bench/data/*.py || status=1
PYTHONPATH=.mypy_links .venv/bin/lint-imports || status=1
MYPYPATH=tools/mutation .venv/bin/mypy tools/mutation/*.py tools/mutation/hook/*.py || status=1
# Every test can be imported.
collected=$(.venv/bin/python -m pytest --collect-only --quiet --slow -p no:cacheprovider 2>&1) || {
    echo "$collected" | grep -E '^(E  |ERROR )' || echo "$collected" | tail -20
    status=1
}
.venv/bin/python -W ignore tools/docs.py --check || status=1
.venv/bin/python tools/links.py || status=1
exit $status
