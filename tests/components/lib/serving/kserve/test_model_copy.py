import fsspec
import pytest
from servers.storage import StorageServer

from retrainer.components.lib.serving.interface import ServedModel, ServiceError
from retrainer.components.lib.serving.kserve.model_copy import copy_model, storage_uri
from retrainer.components.lib.serving.kserve.settings import KServeSettings
from retrainer.components.lib.uris import filesystem, read_text, write_atomic

FOLDER = "gs://acme/store/models/versions/000007"
MODEL = ServedModel(7, f"{FOLDER}/model", "d" * 64)


def test_a_bucket_copies_within_itself_once(monkeypatch):
    with StorageServer() as server:
        options = {"token": "anon", "endpoint_url": server.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        write_atomic(f"{MODEL.uri}/saved_model.pb", "graph")
        write_atomic(f"{MODEL.uri}/variables/variables.index", "index")
        # Version 70 begins with the same digits.
        write_atomic("gs://acme/store/models/versions/0000070/model/saved_model.pb", "other")
        server.requests.clear()
        copy_model(MODEL)
        assert not any("alt=media" in str(one.query) for one in server.requests)
        fs, path = filesystem(f"{FOLDER}/served")
        names = sorted(file.removeprefix(path) for file in fs.find(path))
        assert names == ["/7/saved_model.pb", "/7/variables/variables.index"]
        assert read_text(f"{FOLDER}/served/7/saved_model.pb") == "graph"

        write_atomic(f"{FOLDER}/served/7/saved_model.pb", "kept")
        copy_model(MODEL)
        assert read_text(f"{FOLDER}/served/7/saved_model.pb") == "kept"


def test_the_address_is_that_of_the_store_or_of_its_volume():
    assert storage_uri(MODEL, KServeSettings("taxi")) == f"{FOLDER}/served"
    on_a_volume = KServeSettings("taxi", store_uri="pvc://models/store/")
    here = ServedModel(7, "/mnt/store/models/versions/000007/model", "d")
    assert storage_uri(here, on_a_volume) == "pvc://models/store/models/versions/000007/served"
    with pytest.raises(ServiceError, match="version 7 is in '/mnt/store/models/versions/000007'"):
        storage_uri(here, KServeSettings("taxi"))
