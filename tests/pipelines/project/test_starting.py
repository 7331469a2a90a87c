import errno

import pytest

from retrainer.components.lib.uris import write_atomic
from retrainer.pipelines.examples import spans
from retrainer.pipelines.project import starting


def test_a_full_disk_leaves_no_half_project_and_the_next_attempt_writes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(spans, "write_days", lambda *_: None)

    def full(uri, text):
        if uri.endswith("model.py"):
            raise OSError(errno.ENOSPC, "No space left on device", uri)
        write_atomic(uri, text)

    monkeypatch.setattr(starting, "write_atomic", full)
    with pytest.raises(OSError, match="No space"):
        starting.init_project(tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(starting, "write_atomic", write_atomic)
    starting.init_project(tmp_path)
    assert (tmp_path / "retrain.yaml").exists()
