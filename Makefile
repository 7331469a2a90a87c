# make demo and make test are all that a newcomer needs; both set up .venv first.
# make PYTHON=/path/to/python3.13 ... chooses the Python that .venv is made with.

PYTHON ?=
TESTS ?=
UPGRADE ?=
# Whole files go to a worker, so that what a file's tests share is made once.
WORKERS ?= -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Tests that together use each library that pyproject.toml names.
LOWEST ?= tests/components/lib/source_rows/sources/test_bigquery_source.py \
    tests/components/lib/source_rows/sources/test_parquet_files.py \
    tests/components/lib/test_remote_filesystem.py \
    tests/components/lib/test_uris_on_a_bucket.py \
    tests/components/lib/report/test_page.py \
    tests/components/lib/serving/sagemaker/test_service.py \
    tests/components/notify_outcome/test_pubsub.py \
    tests/pipelines/cli/test_compile.py \
    tests/pipelines/definitions/test_continuous_training.py \
    tests/pipelines/local/test_runner.py \
    tests/pipelines/project/test_config.py \
    tests/pipelines/targets/kubeflow/test_target.py \
    tests/pipelines/targets/vertex/test_target.py \
    tests/pipelines/telemetry/proxy/test_service.py \
    tests/pipelines/telemetry/sink/test_service.py \
    tests/pipelines/test_examples.py \
    tests/pipelines/triggers/service/test_pull.py \
    tests/pipelines/triggers/service/test_push.py
CLUSTER ?= tests/components/lib/serving/kserve tests/deploy tests/pipelines/triggers
N ?= 100
SEED ?= 1
AREAS ?=
ENGINE ?=
JAR ?=
.DEFAULT_GOAL := help
.PHONY: help setup demo test cluster engines lowest lint format docs lock image mutation bench pair data scale evaluation gate serving load proxy clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST)

setup: ## the environment .venv, from the lock of the Python at hand
	@sh tools/setup.sh $(PYTHON)

demo: setup ## four retrains on the flights of 2013, then weeks of serving and one retrain more
	@.venv/bin/retrainer demo

test: setup ## the tests (TESTS=--slow for all, TESTS=tests/tools for some, WORKERS= for one at a time)
	@# The processes that tests start need not compile our modules each time.
	@env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pytest $(WORKERS) $(TESTS)

cluster: setup ## manifests, roles, replicas and models on Kubernetes' own API server (needs Go and etcd)
	@env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pytest --cluster -m cluster $(CLUSTER)

engines: setup ## the components on Beam engines in containers, some of which die (ENGINE=flink JAR=... for a job server's jar)
	@# Prism and Beam's own job service need Docker, Go and the image; a job server's jar needs Java.
	@env -u PYTHONDONTWRITEBYTECODE RETRAINER_TEST_ENGINE=$(ENGINE) RETRAINER_TEST_ENGINE_JAR=$(JAR) \
	    .venv/bin/python -m pytest --slow --engines tests/integration/engines$(if $(ENGINE),/test_worker_pool.py)

lowest: setup ## some tests with the lowest versions that pyproject.toml allows (needs Python 3.11)
	@.venv/bin/python tools/lowest.py
	@env -u PYTHONDONTWRITEBYTECODE .venv-lowest/bin/python -m pytest $(WORKERS) $(LOWEST)

lint: setup ## ruff, mypy and the links in the documentation
	@sh tools/lint.sh

format: setup ## let ruff put the code in order
	@.venv/bin/ruff check --quiet --fix . ; .venv/bin/ruff format --quiet .

docs: setup ## write the references in docs/ from the code, and what is known of TFMA and Beam from them
	@.venv/bin/python -W ignore tools/docs.py
	@.venv/bin/python -W ignore tools/tfma_reference.py
	@.venv/bin/python -W ignore tools/metric_coverage.py 2>/dev/null
	@.venv/bin/python -W ignore tools/beam_reference.py

lock: setup ## resolve the lock files in requirements/ (UPGRADE=--upgrade for the newest versions)
	@.venv/bin/python tools/lock.py $(UPGRADE)

image: ## the container images of the tasks and of the trigger service (BASE=... for another base image)
	@sh tools/image.sh

mutation: setup ## small faults in the code, and whether the tests notice them (N=100, SEED=1, AREAS="gate drift")
	@.venv/bin/python tools/mutation/run.py -n $(N) --seed $(SEED) $(AREAS)

bench: setup ## time and memory beside TFX's LocalDagRunner, on the same work
	@.venv/bin/python bench/run.py

pair: setup ## the demo's first four runs beside those of an earlier commit
	@.venv/bin/python -W ignore::FutureWarning bench/demo.py

scale: setup ## whole retrains of up to ten million rows: time of each task, memory
	@.venv/bin/python -W ignore::FutureWarning bench/data/scale.py

data: setup ## ingestion and statistics, up to ten million rows, beside TFDV's own pass
	@.venv/bin/python -W ignore::FutureWarning bench/data/run.py

evaluation: setup ## evaluation beside TFMA, and up to ten million rows, with paired intervals and many slices
	@.venv/bin/python -W ignore::FutureWarning bench/evaluation.py
	@.venv/bin/python -W ignore::FutureWarning bench/evaluation_scale.py

gate: setup ## how often the gate is right: challengers of known quality, and models that differ by their seed alone
	@.venv/bin/python -W ignore::FutureWarning bench/gate_models.py
	@.venv/bin/python -W ignore::FutureWarning bench/gate.py --rows 5000 50000
	@.venv/bin/python -W ignore::FutureWarning bench/gate.py --rows 500000 --worse 10

serving: setup ## what the serving check costs, its latencies, and the smallest leak that it refuses
	@TF_CPP_MIN_LOG_LEVEL=3 .venv/bin/python -W ignore::FutureWarning bench/serving_check.py

load: setup ## the trigger service under load, and with a replica killed (needs Go)
	@.venv/bin/python -W ignore::FutureWarning bench/trigger/run.py

proxy: setup ## what serve-log adds to latency, its store down for half of the time (needs Go)
	@.venv/bin/python -W ignore::FutureWarning bench/serve_log/run.py

clean: ## remove the environment, caches and what the demo wrote
	@rm -rf .venv .venv-lowest .import_linter_cache .mypy_cache .mypy_links .pytest_cache .ruff_cache *.egg-info build dist flights-demo bench/out
