import os
import signal
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from aiohttp import web
from google.protobuf import text_format
from servers.local_http import LocalServer
from servers.memory_service import die
from tensorflow_serving.config import model_server_config_pb2

from retrainer.components.lib.serving.interface import Plan, ServedModel, ServiceError
from retrainer.components.lib.serving.services import open_service


@pytest.fixture
def served(tmp_path):
    return tmp_path / "served"


@pytest.fixture
def version(tmp_path):
    def version(number, content=b""):
        folder = tmp_path / "models" / str(number)
        (folder / "variables").mkdir(parents=True, exist_ok=True)
        (folder / "saved_model.pb").write_bytes(b"graph %d" % number + content)
        (folder / "variables" / "variables.index").write_bytes(b"index")
        return ServedModel(number, str(folder), f"digest-{number}-{content.decode()}")

    return version


@pytest.fixture
def service(served):
    return lambda **more: open_service("tf_serving", {"uri": str(served), **more}, "tips")


def _config(served):
    """The configuration as TensorFlow Serving reads it; each version in it must be there, whole."""
    try:
        text = (served / "models.config").read_text()
    except FileNotFoundError:
        return None
    parsed = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    for config in parsed.model_config_list.config:
        for number in config.model_version_policy.specific.versions:
            folder = Path(config.base_path, str(number))
            assert (folder / "saved_model.pb").read_bytes().startswith(b"graph %d" % number)
            assert (folder / "variables" / "variables.index").exists()
    return parsed.model_config_list.config[0] if parsed.model_config_list.config else None


def _labels(served):
    config = _config(served)
    return list(config.model_version_policy.specific.versions), dict(config.version_labels)


def test_a_version_is_copied_and_then_named_and_the_one_before_stays_loaded(
    service, served, version
):
    result = service().apply(Plan(version(1)))
    assert (result.traffic, result.loaded, result.splits) == ({1: 100}, (1,), False)
    assert _labels(served) == ([1], {"stable": 1})
    service().apply(Plan(version(2)))
    assert _labels(served) == ([1, 2], {"stable": 2})
    service().apply(Plan(version(3)))
    assert _labels(served) == ([2, 3], {"stable": 3})
    assert service().status().traffic == {3: 100}


def test_a_copied_folder_alone_deploys_nothing(service, served, version):
    service().apply(Plan(version(1)))
    (served / "tips" / "9").mkdir()
    assert _labels(served) == ([1], {"stable": 1})


def test_after_a_rollback_no_higher_version_is_loaded(service, served, version):
    for number in (1, 2):
        service().apply(Plan(version(number)))
    service().apply(Plan(version(1)))
    assert _labels(served) == ([1], {"stable": 1})


def test_a_canary_gets_a_label(service, served, version):
    service().apply(Plan(version(1), canary=version(2), percent=10))
    assert _labels(served) == ([1, 2], {"stable": 1, "canary": 2})


def test_without_a_champion_the_entry_goes(service, served, version):
    service().apply(Plan(version(1)))
    assert service().apply(Plan(None)).traffic == {}
    assert _config(served) is None


def test_the_same_again_writes_nothing(service, served, version):
    service().apply(Plan(version(1)))
    before = {file: file.stat().st_mtime_ns for file in served.rglob("*")}
    service().apply(Plan(version(1)))
    assert {file: file.stat().st_mtime_ns for file in served.rglob("*")} == before


def test_old_folders_go_only_where_keep_says_so(service, served, version):
    for number in range(1, 6):
        service().apply(Plan(version(number)))
    numbers = lambda: sorted(int(f.name) for f in (served / "tips").iterdir())  # noqa: E731
    assert numbers() == [1, 2, 3, 4, 5]
    (served / "tips" / "0").mkdir()
    service(keep=1).apply(Plan(version(5)))
    # What is not retrainer's stays.
    assert numbers() == [0, 3, 4, 5]


def test_a_folder_of_another_registry_or_of_somebody_else_is_not_replaced(service, served, version):
    service().apply(Plan(version(1)))
    with pytest.raises(ServiceError, match=r"has another model than version 1 of this registry"):
        service().apply(Plan(version(1, b"other")))
    (served / "tips" / "2").mkdir()
    (served / "tips" / "2" / "saved_model.pb").write_bytes(b"by hand")
    with pytest.raises(ServiceError, match=r"tips/2' was not put there by retrainer"):
        service().apply(Plan(version(2)))
    assert _labels(served) == ([1], {"stable": 1})


def test_a_damaged_configuration_is_named_and_left_alone(service, served, version):
    served.mkdir()
    (served / "models.config").write_text("model_config_list {")
    with pytest.raises(ServiceError, match=r"models.config' can't be read: line 1 is not"):
        service().apply(Plan(version(1)))
    assert (served / "models.config").read_text() == "model_config_list {"


def test_on_a_bucket_the_configuration_names_what_is_there(version):
    fs = fsspec.filesystem("memory")
    bucket = open_service("tf_serving", {"uri": "memory://acme/serving"}, "tips")
    # Half an upload of an earlier attempt.
    fs.pipe_file("/acme/serving/tips/1/saved_model.pb", b"gra")
    bucket.apply(Plan(version(1)))
    assert fs.cat_file("/acme/serving/tips/1/saved_model.pb") == b"graph 1"
    assert b'base_path: "memory://acme/serving/tips"' in fs.cat_file("/acme/serving/models.config")
    assert bucket.status().traffic == {1: 100}
    fs.rm("/acme", recursive=True)


def test_killed_at_any_step_a_reader_sees_whole_versions_alone(service, served, version, in_child):
    def changes(step):
        patch = pytest.MonkeyPatch()
        for name in ("rename", "replace", "unlink", "mkdir"):
            real = getattr(os, name)

            def changed(*arguments, real=real, **options):
                step()
                return real(*arguments, **options)

            patch.setattr(os, name, changed)
        return patch

    count = 0

    def counted():
        nonlocal count
        count += 1

    patch = changes(counted)
    service(keep=0).apply(Plan(version(1)))
    service(keep=0).apply(Plan(version(2)))
    service(keep=0).apply(Plan(version(3)))
    patch.undo()
    number, least = 3, count // 3
    assert least >= 4
    for kill_at in range(1, count):
        number += 1
        model = version(number)

        def killed(kill_at=kill_at, model=model):
            steps = iter(range(1, 1000))
            changes(lambda: die() if next(steps) == kill_at else None)
            service(keep=0).apply(Plan(model))

        ended = in_child(killed)
        assert _labels(served)[1]["stable"] in (number - 1, number)
        service(keep=0).apply(Plan(model))
        assert _labels(served) == ([number - 1, number], {"stable": number})
        if ended != -signal.SIGKILL:
            break
    assert kill_at >= least


class ModelServer(LocalServer):
    """TensorFlow Serving's `GET /v1/models/<model>` (g3doc/api_rest.md, "Model status API").

    Attributes:
        states: State and error by version.
    """

    states: ClassVar[dict] = {}

    def routes(self):
        return [web.get("/v1/models/tips", self._status)]

    async def _status(self, request):
        statuses = [
            {
                "version": str(version),
                "state": state,
                "status": {"error_code": "UNKNOWN" if error else "OK", "error_message": error},
            }
            for version, (state, error) in self.states.items()
        ]
        return web.json_response({"model_version_status": statuses})


@pytest.fixture
def server():
    with ModelServer() as server:
        server.states = {1: ("AVAILABLE", "")}
        yield server


def test_a_server_that_has_loaded_the_version_ends_the_wait(service, version, server):
    result = service(address=server.url).apply(Plan(version(1)))
    assert (result.traffic, result.loaded, result.address) == ({1: 100}, (1,), server.url)


def test_a_version_that_the_server_cannot_load_leaves_the_one_before(
    service, served, version, server
):
    service().apply(Plan(version(1)))
    server.states[2] = ("END", "Op type not registered 'Custom'")
    with pytest.raises(
        ServiceError, match=r"can't load version 2: Op type not registered"
    ) as caught:
        service(address=server.url).apply(Plan(version(2)))
    assert not caught.value.transient
    assert _labels(served) == ([1], {"stable": 1})
    server.states[2] = ("LOADING", "")
    with pytest.raises(
        ServiceError, match=r"has not loaded version 2 within 0.1 seconds"
    ) as caught:
        service(address=server.url, wait_seconds=0.1).apply(Plan(version(2)))
    assert caught.value.transient
    assert _labels(served) == ([1], {"stable": 1})


def test_status_says_what_the_server_has_loaded(service, version, server):
    service().apply(Plan(version(2)))
    server.states = {2: ("LOADING", "")}
    status = service(address=server.url).status()
    assert (status.traffic, status.notes) == ({}, ("version 2 is LOADING",))


def test_a_server_that_is_down_is_named(service, version, server):
    service().apply(Plan(version(1)))
    server.down = True
    with pytest.raises(
        ServiceError, match=rf"TensorFlow Serving at {server.url} did not"
    ) as caught:
        service(address=server.url).status()
    assert caught.value.transient


def test_a_folder_that_cannot_be_written_is_named_with_its_setting(service, served, version):
    served.write_text("a file")
    for attempt in (lambda: service().apply(Plan(version(1))), service().status):
        with pytest.raises(ServiceError) as caught:
            attempt()
        message = str(caught.value)
        assert message.startswith(f"'{served}' can't be ")
        assert "Not a directory" in message
        assert "serving.deploy.tf_serving.uri" in message
