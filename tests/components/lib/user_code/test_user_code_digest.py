"""Which code a user's model module consists of."""

import os

import pytest

from retrainer.components.lib.user_code.user_code_digest import (
    UserCode,
    code_behind,
    digest_user_code,
)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A folder of modules that can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def write(folder, **modules: str) -> None:
    for name, source in modules.items():
        file = folder / f"{name.replace('__in__', '/')}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)


@pytest.mark.parametrize(
    "edited",
    ["shop__in__model", "shop__in____init__", "shop__in__sizes", "units", "late", "by_name"],
)
def test_an_edit_of_anything_that_is_imported_is_other_code(library, edited):
    write(
        library,
        shop__in____init__="",
        shop__in__model="""
from . import sizes
import units as u

def build_model(a, b):
    import late
    import importlib
    importlib.import_module("by_name")
""",
        shop__in__sizes="SIZE = 1",
        shop__in__other="OTHER = 1",
        units="import shop.model",
        late="",
        by_name="",
    )
    before = digest_user_code(["shop.model"])
    assert before.unseen == ()
    write(library, shop__in__other="OTHER = 2")
    assert digest_user_code(["shop.model"]) == before
    file = library / f"{edited.replace('__in__', '/')}.py"
    file.write_text(file.read_text() + "\nx = 1\n")
    assert digest_user_code(["shop.model"]).digest != before.digest


def test_a_model_file_s_helpers_count(library):
    write(library, helper="SIZE = 1")
    before = digest_user_code([], "import helper")
    write(library, helper="SIZE = 22")
    assert digest_user_code([], "import helper").digest != before.digest


def test_nothing_is_run_to_find_out(library):
    write(library, helper="raise SystemExit", shop__in____init__="raise SystemExit")
    write(library, shop__in__model="import helper")
    assert digest_user_code(["shop.model"]).unseen == ()


def test_a_library_counts_by_its_version(monkeypatch):
    from retrainer.components.lib.user_code import user_code_digest

    before = digest_user_code([], "import tensorflow_text, keras.layers")
    assert digest_user_code([], "import tensorflow_text, keras.layers") == before
    monkeypatch.setattr(user_code_digest, "library_versions", lambda: {"keras": "0"})
    assert digest_user_code([], "import tensorflow_text, keras.layers").digest != before.digest


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere_to_be_found", "model.py:1 imports 'nowhere_to_be_found', which is not"),
        ("from nowhere_to_be_found.x import y", "'nowhere_to_be_found.x', which is not found here"),
        ("import importlib as i\ni.import_module(name)", "model.py:2 imports a module whose name"),
        ("__import__('a' + b)", "model.py:1 imports a module whose name"),
    ],
)
def test_what_can_t_be_followed_is_reported(source, said):
    (sentence,) = digest_user_code([], source).unseen
    assert said in sentence


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import nowhere_to_be_found\nexcept ImportError:\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nowhere_to_be_found",
        "from os import path as nowhere_to_be_found",
        "import tensorflow.keras.layers",
        "def (",
    ],
)
def test_what_the_code_can_do_without_is_no_gap(source):
    assert digest_user_code([], source).unseen == ()


def test_a_module_that_may_be_missing_counts_when_it_comes(library):
    source = "try:\n    import maybe\nexcept ImportError:\n    maybe = None"
    before = digest_user_code([], source)
    write(library, maybe="x = 1")
    assert digest_user_code([], source).digest != before.digest


def test_a_metric_of_one_s_own_is_code_too(library):
    write(library, gains="class Gain: pass")
    parameters = {
        "metrics_specs": [
            {"metrics": [{"class_name": "AUC"}, {"class_name": "Gain", "module": "gains"}]}
        ]
    }
    before = code_behind(parameters)
    write(library, gains="class Gain: size = 2")
    assert code_behind(parameters).digest != before.digest
    assert code_behind({"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]}) == UserCode()


@pytest.mark.parametrize("place", ["words.txt", "data/words.txt"])
def test_a_file_that_a_package_brings_along_is_part_of_it(library, place):
    write(library, shop__in____init__="", shop__in__model="", shop__in__other__in____init__="")
    file = library / "shop" / place
    file.parent.mkdir(exist_ok=True)
    file.write_text("a b")
    before = digest_user_code(["shop.model"])
    # Another package's is none of this one.
    (library / "shop" / "other" / "words.txt").write_text("c")
    (library / "shop" / "__pycache__").mkdir()
    (library / "shop" / "__pycache__" / "model.pyc").write_text("c")
    assert digest_user_code(["shop.model"]) == before
    file.write_text("a b c")
    assert digest_user_code(["shop.model"]) != before


def test_a_file_that_sets_beam_s_workers_up_is_code_too(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("shop==1")
    parameters = {"beam_args": ["--runner=DataflowRunner", f"--requirements_file={file}"]}
    before = code_behind(parameters)
    file.write_text("shop==2")
    assert code_behind(parameters) != before
    assert code_behind({"beam_args": ["--runner=DataflowRunner"]}) == UserCode()


def test_what_nobody_can_read_in_a_package_s_folder_is_no_part_of_it(library):
    write(library, shop__in____init__="", shop__in__model="")
    before = digest_user_code(["shop.model"])
    (library / "shop" / "gone.csv").symlink_to(library / "nothing.csv")
    os.mkfifo(library / "shop" / "pipe")
    assert digest_user_code(["shop.model"]) == before


def test_text_of_another_encoding_than_it_says_counts_as_it_is(library):
    write(library, model="")
    (library / "model.py").write_bytes("# größer".encode("latin-1"))
    before = digest_user_code(["model"])
    (library / "model.py").write_bytes("# größte".encode("latin-1"))
    assert digest_user_code(["model"]).digest != before.digest
