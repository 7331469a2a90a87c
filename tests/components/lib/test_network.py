"""Which variables hold for which libraries."""

import pytest

from retrainer.components.lib import network
from retrainer.components.lib.errors import RetrainerError


def prepared(**variables):
    network.prepare(variables)
    before = dict(variables)
    network.prepare(variables)
    assert variables == before
    return variables


@pytest.fixture
def bundle(tmp_path):
    file = tmp_path / "acme-ca.pem"
    file.write_text("")
    return str(file)


@pytest.fixture
def environment(monkeypatch):
    """The process's own variables, without those of the network."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in network._CERTIFICATES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_known_in_either_case(name):
    variables = prepared(**{name: "http://proxy:3128"})
    assert variables["https_proxy"] == variables["HTTPS_PROXY"] == "http://proxy:3128"


def test_a_proxy_without_a_scheme_gets_the_one_that_every_library_takes():
    assert prepared(HTTPS_PROXY="proxy:3128")["https_proxy"] == "http://proxy:3128"


def test_what_not_every_client_speaks_is_left_alone():
    assert prepared(ALL_PROXY="socks5://proxy:1080") == {"ALL_PROXY": "socks5://proxy:1080"}


def test_without_a_proxy_nothing_changes():
    assert prepared(NO_PROXY="acme.example") == {"NO_PROXY": "acme.example"}


def test_this_machine_and_its_metadata_server_are_asked_without_a_proxy():
    names = prepared(HTTPS_PROXY="http://proxy:3128", NO_PROXY="acme.example, 10.0.0.0/8")[
        "no_proxy"
    ]
    assert names.split(",")[:2] == ["acme.example", "10.0.0.0/8"]
    assert {"localhost", "127.0.0.1", "169.254.169.254", "metadata.google.internal"} <= set(
        names.split(",")
    )
    assert ".svc" not in names


def test_a_metadata_server_of_another_name_is_asked_without_a_proxy():
    variables = prepared(HTTPS_PROXY="http://proxy:3128", GCE_METADATA_HOST="gke-metadata:988")
    assert "gke-metadata" in variables["no_proxy"].split(",")


def test_no_proxy_for_anything_stays():
    assert prepared(HTTPS_PROXY="http://proxy:3128", NO_PROXY="*")["no_proxy"] == "*"


def test_in_a_pod_the_clusters_own_names_are_asked_without_a_proxy():
    variables = prepared(HTTPS_PROXY="http://proxy:3128", KUBERNETES_SERVICE_HOST="10.0.0.1")
    assert {".svc", ".cluster.local", "10.0.0.1"} <= set(variables["no_proxy"].split(","))


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_one_file_of_certificates_holds_for_every_library(bundle, name):
    variables = prepared(**{name: bundle})
    for other in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        assert variables[other] == bundle


def test_a_library_keeps_the_certificates_that_were_set_for_it(bundle):
    variables = prepared(REQUESTS_CA_BUNDLE=bundle, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH="/other.pem")
    assert variables["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] == "/other.pem"


def test_certificates_that_are_missing_are_an_error_where_they_are_needed(environment):
    environment.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(
        RetrainerError, match=r"REQUESTS_CA_BUNDLE is '/nowhere\.pem', and there is"
    ):
        network.certificates()


def test_a_folder_of_certificates_is_left_to_the_libraries_that_take_one(environment, tmp_path):
    environment.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert network.certificates() == ""
    assert prepared(REQUESTS_CA_BUNDLE=str(tmp_path)) == {"REQUESTS_CA_BUNDLE": str(tmp_path)}


def test_a_route_shows_no_password(environment):
    environment.setenv("https_proxy", "http://me:s3cret@proxy:3128")
    environment.setenv("no_proxy", "10.0.0.0/8,direct.example")
    way = " through the proxy http://proxy:3128 (HTTPS_PROXY)"
    assert network.route("https://kubeflow.acme.example/pipeline") == way
    assert network.route("https://direct.example") == network.route("https://10.1.2.3:8888") == ""
    assert network.route("http://kubeflow.acme.example") == ""


def test_a_proxy_that_a_client_takes_no_notice_of_is_reported(environment):
    environment.setenv("https_proxy", "https://proxy:3129")
    way = network.route("https://storage.googleapis.com", http_only=True)
    assert way.startswith(" without the proxy https://proxy:3129")


def test_a_file_system_is_given_its_proxy_and_keeps_what_a_user_configured(environment):
    environment.setenv("https_proxy", "http://proxy:3128")
    assert network.file_system_options("gs", {}) == {
        "session_kwargs": {"proxy": "http://proxy:3128"}
    }
    own = {"session_kwargs": {"proxy": "http://other:1", "read_bufsize": 1}}
    assert network.file_system_options("gs", own) == own
    environment.setenv("no_proxy", "storage.googleapis.com")
    assert network.file_system_options("gs", {}) == {}
    assert network.file_system_options("memory", {}) == {}
    given = {"config_kwargs": {"read_timeout": 5}}
    assert network.file_system_options("s3", given)["config_kwargs"]["read_timeout"] == 5


@pytest.mark.parametrize("emulator", ["http://127.0.0.1:9023", "127.0.0.1:9023"])
def test_an_emulator_of_cloud_storage_is_not_asked_through_a_proxy(environment, emulator):
    environment.setenv("http_proxy", "http://proxy:3128")
    environment.setenv("https_proxy", "http://proxy:3128")
    environment.setenv("no_proxy", "127.0.0.1")
    environment.setenv("STORAGE_EMULATOR_HOST", emulator)
    assert network.file_system_options("gs", {}) == {}


def test_a_proxy_that_is_no_address_is_named_by_its_variable_without_its_password(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://me:secret@[bad")
    with pytest.raises(RetrainerError, match=r"the variable HTTPS_PROXY .* is no address") as error:
        network.proxy_for("https://example.com")
    assert "secret" not in str(error.value)
