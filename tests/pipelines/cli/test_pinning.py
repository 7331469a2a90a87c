"""Which images a compiled pipeline names, and what is cached of images that may change."""

import pytest
import yaml
from click.testing import CliRunner
from servers.image_registry import ImageRegistry

from retrainer.pipelines.cli.main import cli


@pytest.fixture
def registry(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with ImageRegistry() as server:
        yield server


@pytest.fixture
def compiled(project, tmp_path):
    """Compile with changes to retrain.yaml: images and cached tasks by task, and what was said."""

    def compile_(image, more=""):
        file = project / "changed.yaml"
        file.write_text((project / "retrain.yaml").read_text() + more)
        output = tmp_path / "pipeline.yaml"
        result = CliRunner().invoke(
            cli, ["compile", str(file), "-o", str(output), "--image", image]
        )
        assert result.exit_code == 0, result.output + repr(result.exception)
        spec = next(iter(yaml.safe_load_all(output.read_text())))
        executors = spec["deploymentSpec"]["executors"]
        images = {
            name.removeprefix("exec-"): executor["container"]["image"]
            for name, executor in executors.items()
        }
        tasks = spec["root"]["dag"]["tasks"]
        cached = {name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")}
        return images, cached, result.stderr

    return compile_


def test_a_moved_tag_makes_another_pipeline(registry, compiled):
    image = f"{registry.host}/team/retrainer"
    first = registry.push("team/retrainer", "stable", "first")
    images, cached, said = compiled(f"{image}:stable")
    assert set(images.values()) == {f"{image}@{first}"}
    assert {"train-model", "transform-features"} <= cached
    assert "pinned" not in said
    second = registry.push("team/retrainer", "stable", "second")
    assert set(compiled(f"{image}:stable")[0].values()) == {f"{image}@{second}"}


def test_a_task_s_own_image_and_that_of_beam_s_workers_are_pinned(registry, compiled, monkeypatch):
    monkeypatch.setenv("RETRAINER_STORE", "gs://acme/store")
    host = registry.host
    digests = {
        name: registry.push(f"team/{name}", "1", name) for name in ("retrainer", "gpu", "sdk")
    }
    more = f"""
tasks: {{train_model: {{image: "{host}/team/gpu:1"}}}}
engine:
  runner: dataflow
  options: {{project: acme, region: r, sdk_container_image: "{host}/team/sdk:1"}}
  components: [transform_features, evaluate_model]
  overrides:
    evaluate_model: {{options: {{sdk_container_image: null}}, worker_image: "{host}/team/sdk:1"}}
"""
    images, cached, said = compiled(f"{host}/team/retrainer:1", more)
    assert images["train-model"] == f"{host}/team/gpu@{digests['gpu']}"
    assert images["push-model"] == f"{host}/team/retrainer@{digests['retrainer']}"
    assert {"train-model", "transform-features"} <= cached
    assert "pinned" not in said
    # Each is asked for once, however many tasks have it.
    assert len(registry.requests) == 3
    registry.stop()
    images, cached, said = compiled(
        f"{host}/team/retrainer@{digests['retrainer']}",
        more.replace("/gpu:1", f"/gpu@sha256:{0:064}"),
    )
    assert cached == {"compute-statistics", "train-model", "check-serving"}
    assert said.count("is not pinned") == 1


def test_what_can_t_be_pinned_is_not_cached_and_said(registry, compiled):
    image = f"{registry.host}/team/retrainer:1"
    images, cached, said = compiled(image)
    assert set(images.values()) == {image}
    assert cached == set()
    assert f"image '{image}' is not pinned by digest: {registry.host} has no" in said
    assert said.count("is not pinned") == 1


def test_caching_can_be_kept_for_an_image_that_may_change(registry, compiled):
    image = f"{registry.host}/team/retrainer:1"
    cached = compiled(image, "tasks: {train_model: {caching: true}}\n")[1]
    assert cached == {"train-model"}
