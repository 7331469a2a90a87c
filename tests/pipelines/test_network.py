"""Every client goes out by the proxy that the environment names, and trusts the certificates that it names."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pyarrow as pa
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.pubsub_v1 import types
from servers.bigquery import BigQueryServer
from servers.google_tokens import CertificateServer, SigningKey
from servers.kubeflow import KubeflowServer
from servers.local_http import LocalServer
from servers.proxy import Authority, Proxy
from servers.storage import StorageServer
from servers.vertex import VertexServer

DIGEST = "sha256:" + "0" * 64
ANSWERS = {
    "vertex": [[], "None"],
    "kubeflow": "orders-1",
    "kubeflow_without_tls": "orders-1",
    "storage": [True, False],
    "s3": True,
    "bigquery": 1,
    "bigquery_reader": True,
    "pubsub": "published",
    "templates": f"https://europe-west1-kfp.pkg.dev/acme-ml/templates/orders/{DIGEST}",
    "certificates": "-----BEGIN CERTIFICATE-----",
    "registry": DIGEST,
    "webhook": "posted",
}
"""What each client gets, if it reaches its service."""
HOSTS = {
    "vertex": "europe-west1-aiplatform.googleapis.com",
    "kubeflow": "kubeflow.acme.example",
    "kubeflow_without_tls": "plain.acme.example",
    "storage": "storage.googleapis.com",
    "s3": "s3.acme.example",
    "bigquery": "bigquery.googleapis.com",
    "bigquery_reader": "bigquerystorage.googleapis.com",
    "pubsub": "pubsub.googleapis.com",
    "templates": "artifactregistry.googleapis.com",
    "certificates": "www.googleapis.com",
    "registry": "images.acme.example",
    "webhook": "hooks.acme.example",
}
OF_THE_NETWORK = re.compile(
    "_proxy$|^SSL_CERT|_CA_BUNDLE$|_CA_CERTS$|_ROOTS_FILE_PATH$", re.IGNORECASE
)


class Several(LocalServer):
    """Google's server of access tokens, Artifact Registry's API, a registry of images, S3, and a chat's webhook."""

    def routes(self):
        return [
            web.post("/token", self.token),
            web.get("/v1/projects/{path:.*}", self.tag),
            web.route("*", "/acme/there", self.there),
            web.head("/v2/ml/retrainer/manifests/1", self.manifest),
            web.post("/hook", self.hook),
        ]

    async def token(self, _):
        return web.json_response({"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})

    async def tag(self, _):
        return web.json_response({"name": "tags/stable", "version": f"versions/{DIGEST}"})

    async def manifest(self, _):
        return web.Response(headers={"Docker-Content-Digest": DIGEST})

    async def hook(self, _):
        return web.Response()

    async def there(self, _):
        about = {"ETag": '"1"', "Last-Modified": "Wed, 01 Apr 2026 00:00:00 GMT"}
        return web.Response(body=b"1", headers=about)


@contextmanager
def publisher() -> Iterator[int]:
    """Serve Pub/Sub's call that publishes; gives its port."""

    def publish(request, _):
        return types.PublishResponse(message_ids=["1"] * len(request.messages))

    call = grpc.unary_unary_rpc_method_handler(
        publish,
        request_deserializer=types.PublishRequest.deserialize,
        response_serializer=types.PublishResponse.serialize,
    )
    server = grpc.server(ThreadPoolExecutor(2))
    handler = grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", {"Publish": call})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """A proxy that leads to all services."""
    with ExitStack() as stack:
        enter = stack.enter_context
        vertex, kubeflow, storage = (
            enter(VertexServer()),
            enter(KubeflowServer()),
            enter(StorageServer()),
        )
        storage.objects["acme", "there"] = b"1"
        bigquery, several = enter(BigQueryServer()), enter(Several())
        bigquery.add("flights", pa.table({"delay": [1]}))
        proxy = enter(Proxy(Authority(tmp_path_factory.mktemp("authority"))))
        proxy.ways = {
            HOSTS["vertex"]: vertex.port,
            HOSTS["kubeflow"]: kubeflow.port,
            HOSTS["kubeflow_without_tls"]: kubeflow.port,
            HOSTS["storage"]: storage.port,
            HOSTS["s3"]: several.port,
            HOSTS["bigquery"]: bigquery.port,
            HOSTS["bigquery_reader"]: bigquery.storage_port,
            HOSTS["pubsub"]: enter(publisher()),
            HOSTS["templates"]: several.port,
            HOSTS["certificates"]: enter(CertificateServer(SigningKey("key-1"))).port,
            HOSTS["registry"]: several.port,
            HOSTS["webhook"]: several.port,
            "oauth2.googleapis.com": several.port,
        }
        proxy.grpc = {HOSTS["pubsub"], HOSTS["bigquery_reader"]}
        yield proxy


@pytest.fixture(scope="module")
def account(tmp_path_factory) -> Path:
    """The key file of a service account that nobody knows."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = tmp_path_factory.mktemp("account") / "key.json"
    about = {
        "type": "service_account",
        "project_id": "acme-ml",
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": "t@acme-ml.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    file.write_text(json.dumps(about))
    # A login for whatever asks, which is for none of these services.
    file.with_name("netrc").write_text("default login me password other\n")
    return file


@pytest.fixture(scope="module")
def start(account):
    """Start a process that asks services, with the variables given; gives what asks them by name."""
    with ExitStack() as stack:

        def run(**variables):
            kept = {
                name: its for name, its in os.environ.items() if not OF_THE_NETWORK.search(name)
            }
            given = {
                **kept,
                "GOOGLE_APPLICATION_CREDENTIALS": str(account),
                "FSSPEC_GS_TOKEN": str(account),
                "AWS_ENDPOINT_URL": "https://s3.acme.example",
                "AWS_ACCESS_KEY_ID": "reader",
                "AWS_SECRET_ACCESS_KEY": "reader-and-writer",
                "AWS_MAX_ATTEMPTS": "1",
                "NETRC": str(account.with_name("netrc")),
                "PYTHONPATH": str(Path(__file__).parents[1]),
                **variables,
            }
            process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("outside.py")],
                env=given,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)

            def ask(names):
                process.stdin.write(" ".join(names) + "\n")
                process.stdin.flush()
                return json.loads(process.stdout.readline())

            return ask

        yield run


@pytest.fixture(scope="module")
def ask(proxy, start):
    """One variable for proxies and one for certificates, in upper case as most set them."""
    address = proxy.url.replace("://", "://retrainer:s3cret%21@")
    bundle = str(proxy.authority.file)
    return start(HTTPS_PROXY=address, HTTP_PROXY=address, REQUESTS_CA_BUNDLE=bundle)


@pytest.fixture(scope="module")
def answers(proxy, ask):
    """What clients get where the proxy leads to all of them, and what the proxy saw."""
    proxy.login = "retrainer:s3cret!"
    proxy.seen.clear()
    return ask(ANSWERS), list(proxy.seen)


@pytest.mark.parametrize("name", ANSWERS)
def test_every_client_goes_by_the_proxy_and_trusts_the_companys_certificates(answers, name):
    got, seen = answers
    assert got[name] == ANSWERS[name]
    assert any(HOSTS[name] in line for line in seen)


@pytest.fixture(scope="module")
def refused(proxy, answers, ask):
    """What clients say where the proxy refuses their login."""
    proxy.login = "somebody:else"
    try:
        return ask(FAILING)
    finally:
        proxy.login = "retrainer:s3cret!"


FAILING = ["vertex", "kubeflow", "kubeflow_without_tls", "storage", "s3", "bigquery", "templates"]


@pytest.mark.parametrize("name", FAILING)
def test_an_error_names_the_proxy_and_the_fix_and_no_password(refused, proxy, name):
    error = refused[name]["error"]
    assert f"through the proxy {proxy.url}" in error
    assert "Put the proxy's user and password into its address" in error
    assert "s3cret" not in error


@pytest.fixture(scope="module")
def distrusting(proxy, start):
    """What clients say that know nothing of the company's authority."""
    proxy.login = ""
    try:
        return start(HTTPS_PROXY=proxy.url)(DISTRUSTING)
    finally:
        proxy.login = "retrainer:s3cret!"


DISTRUSTING = ["vertex", "kubeflow", "storage", "s3", "pubsub"]


@pytest.mark.parametrize("name", DISTRUSTING)
def test_a_certificate_of_nobody_known_is_refused_and_the_fix_is_named(distrusting, name):
    assert "REQUESTS_CA_BUNDLE" in distrusting[name]["error"]


def test_a_certificate_for_another_name_is_refused_behind_a_proxy(proxy, answers, ask):
    proxy.impostors = {HOSTS["s3"]}
    try:
        assert "certificate" in ask(["s3"])["s3"]["error"]
    finally:
        proxy.impostors = set()


def test_the_metadata_server_is_never_asked_through_the_proxy(proxy, answers, ask):
    proxy.seen.clear()
    ask(["metadata"])
    assert proxy.seen == []
