"""A test file stands where its module's name leads: components/x/y.py is tested in tests/components/x/test_y.py."""

import importlib.util
from pathlib import Path

from servers import forked

ROOT = Path(__file__).resolve().parent.parent
# Files that test more than one module, or none: what they hold to, or which module they belong to beside its own file.
OTHERS = {
    "components/test_bad_input.py": "files, encodings, names and sizes from end to end",
    "components/test_bad_values.py": "values from end to end",
    "components/test_engine_requests.py": "what four components send to engines",
    "components/test_faces.py": "every component.py",
    "components/test_new_component.py": "what a new component takes",
    "components/compute_statistics/test_edge_input.py": "statistics of extreme data",
    "components/compute_statistics/test_statistics_equal_tfdv.py": "the sketches against TFDV's own pass",
    "components/compute_statistics/test_wide_tables.py": "many columns from end to end",
    "components/evaluate_model/array_metrics/test_array_metrics.py": "lib/evaluation/array_metrics, with models",
    "components/evaluate_model/test_in_process.py": "lib/evaluation/in_process.py against TFMA on Beam, with models",
    "components/evaluate_model/test_metrics_equal_tfma.py": "lib/evaluation/array_metrics against TFMA on Beam",
    "components/evaluate_model/test_rankings.py": "lib/evaluation/array_metrics/ranking.py against TFMA on Beam",
    "components/evaluate_model/test_undefined_metrics.py": "lib/evaluation/undefined_metrics.py, with models",
    "components/ingest_spans/test_dependency_lines.py": "one store for both dependency lines",
    "components/ingest_spans/test_full_disk.py": "ingest.py on a disk that is full",
    "components/ingest_spans/test_ingest_sources.py": "ingest.py: cells, files and names of a source",
    "components/ingest_spans/test_private_columns.py": "private columns from end to end",
    "components/ingest_spans/test_processes.py": "ingest.py in several processes",
    "components/lib/source_rows/sources/test_bigquery_source.py": "sources/bigquery.py",
    "components/lib/test_uris_on_a_bucket.py": "uris.py on a bucket",
    "components/lib/serving/kserve/test_access.py": "the role that docs/deploy has for deploying to KServe",
    "components/lib/serving/kserve/test_faults.py": "faults of the cluster, other people, a death at any call",
    "components/lib/serving/kserve/test_kserves_own_server.py": "what KServe's own server loads and answers",
    "components/lib/serving/sagemaker/test_faults.py": "faults of the service, other people, a death at any call",
    "components/lib/serving/kserve/test_webhooks.py": "webhooks that change what is applied",
    "components/lib/serving/kserve/test_minimal_definition.py": "the definition that takes any spec",
    "components/lib/serving/kserve/test_rollout.py": "whole rollouts on KServe",
    "components/lib/serving/sagemaker/test_rollout.py": "whole rollouts on SageMaker",
    "components/lib/serving/vertex/test_faults.py": "faults of the service, other people, a death at any call",
    "components/lib/serving/vertex/test_read_by_the_sdk.py": "what was deployed, read by Google's SDK",
    "components/lib/serving/vertex/test_rollout.py": "whole rollouts on Vertex AI, a death at any request",
    "components/lib/statistics/test_top_values.py": "top values and rank histograms against TFDV's own",
    "components/ingest_predictions/readers/test_readers.py": "every format of logs",
    "components/ingest_predictions/test_served_and_logged.py": "from a served model to the table",
    "components/ingest_predictions/test_bad_input.py": "logs as they are in practice",
    "components/notify_outcome/test_messages.py": "messages in each form",
    "components/predict_batch/test_predict_bigquery.py": "predict.py on tables of BigQuery",
    "components/train_model/test_column_names.py": "columns as people name them, to the model server",
    "components/train_model/test_weights_and_stopping.py": "train.py: weights, held-out rows, early stopping",
    "components/validate_examples/checks/test_checks.py": "the list of checks",
    "components/validate_examples/test_faults.py": "planted faults, each found by its check",
    "components/validate_examples/test_first_run.py": "a run without an earlier schema",
    "pipelines/test_deployed_model.py": "a run that ends where models serve",
    "pipelines/test_monitored_model.py": "the pipeline monitoring, from a log to an incident",
    "pipelines/test_labels.py": "labels from files to the realised quality, by the pipeline",
    "pipelines/test_engine_run.py": "a run on a Beam engine, as retrain.yaml names it",
    "pipelines/test_metrics_page.py": "docs/metrics.md",
    "pipelines/test_several_outputs.py": "a project whose model has several outputs, from its data to predictions",
    "pipelines/test_network.py": "proxies and certificates, for every client",
    "pipelines/test_notify.py": "notices of a run, on every target",
    "pipelines/test_on_a_bucket_mount.py": "artifacts on a mount",
    "pipelines/cli/test_compile_push.py": "compile.py: pushing a template",
    "pipelines/cli/test_deploy_to_sagemaker.py": "`retrainer deploy` to SageMaker",
    "pipelines/cli/test_deploy_to_vertex.py": "`retrainer deploy` from Cloud Storage to Vertex AI",
    "pipelines/cli/test_exit_codes.py": "how every command ends",
    "pipelines/cli/test_help.py": "`--help` of every command",
    "components/evaluate_model/test_bad_input.py": "whole evaluations of what should not come in",
    "components/ingest_spans/test_ingest_types.py": "ingest.py: types of columns",
    "components/ingest_spans/test_ingest_windows.py": "ingest.py: which spans a run takes",
    "components/push_model/test_push_older_spans.py": "push.py: a model of older spans",
    "components/validate_examples/test_curated_schema.py": "the store's schema, frozen and edited",
    "components/push_model/test_push_faults.py": "push.py: killed, without replies, two at once",
    "pipelines/cli/test_light_install.py": "commands with the packages that the project names without an extra",
    "pipelines/cli/test_notify_test.py": "notify.py: `retrainer notify test`",
    "pipelines/cli/test_pinning.py": "compile.py: images pinned by digest",
    "pipelines/local/test_ending.py": "signals, crashes and second runs",
    "pipelines/local/test_exit_tasks.py": "exit_handlers.py",
    "pipelines/local/test_failing_tasks.py": "runner.py: tasks that fail",
    "pipelines/local/test_full_disk.py": "a run on a disk that is full",
    "pipelines/definitions/test_defaults.py": "defaults in a face, in settings and in retrain.yaml",
    "pipelines/runs/test_runs_again.py": "runs on the same data again",
    "pipelines/targets/test_listing_and_cancelling.py": "runs of both services",
    "pipelines/targets/images/test_pinning_on_a_registry.py": "pinning on a registry",
    "pipelines/targets/kubeflow/test_server.py": "the local server that stands for Kubeflow",
    "pipelines/targets/vertex/test_faults.py": "faults of the service",
    "pipelines/targets/vertex/test_server.py": "the local server that stands for Vertex AI",
    "pipelines/telemetry/test_ingested_logs.py": "from the process that logs to the table in the store",
    "pipelines/triggers/test_dispatch_on_targets.py": "dispatch.py on both services",
    "pipelines/triggers/test_dispatcher_of_a_file.py": "dispatch.py: the dispatcher of a retrain.yaml",
    "pipelines/triggers/claims/test_leases_on_kubernetes.py": "leases.py on Kubernetes' own API server",
    "pipelines/triggers/service/test_replicas_on_kubernetes.py": "replicas as processes, over Leases",
    "pipelines/triggers/claims/test_claims_on_storage.py": "claims on Cloud Storage",
    "pipelines/triggers/service/test_replicas.py": "several replicas at once",
}


def test_a_test_stands_where_its_modules_name_leads() -> None:
    tests = ROOT / "tests"
    files = [
        file.relative_to(tests)
        for folder in ("components", "pipelines")
        for file in (tests / folder).rglob("test_*.py")
    ]
    others = {
        str(file)
        for file in files
        for module in [ROOT / file.parent / file.stem.removeprefix("test_")]
        if not (module.with_suffix(".py").exists() or module.is_dir())
        # The whole of a folder.
        and module.name != file.parent.name
    }
    assert others - set(OTHERS) == set(), "rename the file after its module, or list it above"


def test_what_forked_commands_find_imported_is_there() -> None:
    # A name that has moved would be passed over in silence, and every forked command would make its imports.
    assert [name for name in forked.PRELOADED if importlib.util.find_spec(name) is None] == []
