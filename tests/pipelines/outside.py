"""Asks every service that retrainer has a client for, each behind a name that only a proxy knows.

Run by test_network.py as a process of its own, since libraries read the environment when they are imported. Reads
lines with names of clients, and prints as JSON what each one got, or the error that a user would see.
"""

import asyncio
import json
import os
import sys
import warnings
from datetime import UTC, datetime

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.garbage_collection import collect_seldom
from retrainer.components.lib.network import prepare


def ask_vertex():
    from servers.vertex_cases import compiled, settings

    from retrainer.pipelines.targets.vertex.target import VertexTarget

    target = VertexTarget(settings(), compiled(), deadline_seconds=2)
    return [one.name for one in target.list_schedules()], str(target.find("orders-1"))


def ask_kubeflow(host="https://kubeflow.acme.example/"):
    import yaml
    from servers.kubeflow import SMALL_PIPELINE

    from retrainer.pipelines.definitions.compiled import Pipeline
    from retrainer.pipelines.project.sections.targets import KubeflowConfig
    from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget
    from retrainer.pipelines.targets.types import RunRequest

    spec = next(iter(yaml.safe_load_all(SMALL_PIPELINE)))
    target = KubeflowTarget(
        KubeflowConfig(host=host), Pipeline("orders", SMALL_PIPELINE, spec), deadline_seconds=2
    )
    return target.submit(RunRequest("orders-1")).run_id


def ask_kubeflow_without_tls():
    return ask_kubeflow("http://plain.acme.example")


def ask_storage():
    from retrainer.components.lib.uris import exists

    return exists("gs://acme/there"), exists("gs://acme/nowhere")


def ask_s3():
    from retrainer.components.lib.uris import exists

    return exists("s3://acme/there")


def ask_bigquery():
    from retrainer.components.lib.bigquery.bigquery_client import explained, open_tables

    with explained("the table 'acme-ml.air.flights'", "acme-ml"):
        return (
            open_tables("acme-ml").get_table("acme-ml.air.flights", timeout=5, retry=None).num_rows
        )


def ask_bigquery_reader():
    from google.cloud.bigquery_storage_v1 import types

    from retrainer.components.lib.bigquery.bigquery_client import explained, open_reader

    session = types.ReadSession(
        table="projects/acme-ml/datasets/air/tables/flights", data_format=types.DataFormat.ARROW
    )
    with explained("the rows", "acme-ml"), open_reader() as reader:
        made = reader.create_read_session(
            parent="projects/acme-ml", read_session=session, timeout=5, retry=None
        )
        return len(made.streams) > 0


def ask_pubsub():
    from retrainer.pipelines.triggers.service import dead_letters
    from retrainer.pipelines.triggers.types import Message

    dead_letters.PUBLISH_SECONDS = 2.0
    topic = dead_letters.DeadLetters("projects/acme-ml/topics/dead")
    topic.publish(Message("1", b"{}", {}, datetime.now(UTC)), "a reason")
    return "published"


def ask_templates():
    from retrainer.pipelines.targets.templates import resolve_template

    return resolve_template("https://europe-west1-kfp.pkg.dev/acme-ml/templates/orders/stable")


def ask_registry():
    from retrainer.pipelines.project.formats.image_names import parse_image
    from retrainer.pipelines.targets.images.registry_api import ask_digest

    return ask_digest(parse_image("images.acme.example/ml/retrainer:1"))


def ask_webhook():
    from retrainer.components.lib.messages.http_post import post

    post("https://hooks.acme.example/hook", b"{}", {}, 5.0)
    return "posted"


def ask_metadata():
    import google.auth.transport.requests
    from google.auth.compute_engine import _metadata

    return _metadata.ping(google.auth.transport.requests.Request(), timeout=0.2, retry_count=1)


def ask_certificates():
    from retrainer.pipelines.triggers.service.certificates import Certificates

    async def fetch():
        certificates = Certificates("https://www.googleapis.com/certs")
        return (await certificates.get("key-1") or "")[:27]

    return asyncio.run(fetch())


def ask(names):
    answers = {}
    for name in names:
        try:
            answers[name] = globals()[f"ask_{name}"]()
        except Exception as error:
            kind = "error" if isinstance(error, (RetrainerError, OSError)) else "crash"
            answers[name] = {kind: f"{error or type(error).__name__}"}
    return answers


def main():
    warnings.simplefilter("ignore")
    collect_seldom()
    prepare()
    import fsspec
    import gcsfs.retry

    # Its pauses come to half a minute.
    gcsfs.retry.min = lambda *_: 0.0
    for line in sys.stdin:
        # Clients that are kept would keep the connections that they have.
        for protocol in ("gs", "s3"):
            fsspec.get_filesystem_class(protocol).clear_instance_cache()
        print(json.dumps(ask(line.split())), flush=True)
    # Nobody waits for threads that still try.
    os._exit(0)


if __name__ == "__main__":
    main()
