"""What tasks set in retrain.yaml, in the compiled pipeline."""

import pytest
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.definitions.compiling import compile_config
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.reach import ignored_here
from retrainer.pipelines.project.starting import init_project

EVERYTHING = """
tasks:
  all:
    env: {HTTPS_PROXY: "http://proxy:3128", TIER: one}
    kubernetes:
      labels: {team: search}
      annotations: {sidecar.istio.io/inject: "false"}
      image_pull_secrets: [registry.login]
  train_model:
    env: {TIER: two}
    kubernetes:
      timeout_seconds: 900
      image_pull_policy: Always
      node_selector: {pool: gpu}
      tolerations: [{key: gpu, operator: Exists, effect: NoExecute, toleration_seconds: 60}, {key: a, value: b}]
      secrets: {KEY: hashing/key}
      secret_volumes: {/keys: hashing}
      config_maps: {LEVEL: settings/log.level}
      config_map_volumes: {/etc/settings: settings}
      persistent_volumes: {/data: claim}
      shared_memory: 2Gi
      security_context: {run_as_user: 10001, run_as_group: 0, run_as_non_root: true}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    init_project(folder)
    return folder


@pytest.fixture(scope="module")
def load(project):
    def load_(more):
        file = project / "changed.yaml"
        file.write_text((project / "retrain.yaml").read_text() + more)
        return load_config(file)

    return load_


@pytest.fixture(scope="module")
def compiled(load):
    return compile_config(load(EVERYTHING))


@pytest.fixture(scope="module")
def settings(compiled):
    return compiled.platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def test_variables_reach_every_target(compiled):
    executors = compiled.spec["deploymentSpec"]["executors"]
    variables = {
        name: {one["name"]: one["value"] for one in executor["container"]["env"]}
        for name, executor in executors.items()
    }
    proxy = "http://proxy:3128"
    assert variables["exec-push-model"] == {"HTTPS_PROXY": proxy, "TIER": "one"}
    assert variables["exec-train-model"] == {"HTTPS_PROXY": proxy, "TIER": "two"}


def test_each_setting_of_kubernetes_lands_in_the_task(settings):
    assert settings["exec-train-model"] == {
        "activeDeadlineSeconds": "900",
        "imagePullPolicy": "Always",
        "imagePullSecret": [{"secretName": "registry.login"}],
        "nodeSelector": {"labels": {"pool": "gpu"}},
        "tolerations": [
            {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": "60"},
            {"key": "a", "operator": "Equal", "value": "b"},
        ],
        "podMetadata": {
            "labels": {"team": "search"},
            "annotations": {"sidecar.istio.io/inject": "false"},
        },
        "secretAsEnv": [
            {"secretName": "hashing", "keyToEnv": [{"secretKey": "key", "envVar": "KEY"}]}
        ],
        "secretAsVolume": [{"secretName": "hashing", "mountPath": "/keys"}],
        "configMapAsEnv": [
            {
                "configMapName": "settings",
                "keyToEnv": [{"configMapKey": "log.level", "envVar": "LEVEL"}],
            }
        ],
        "configMapAsVolume": [{"configMapName": "settings", "mountPath": "/etc/settings"}],
        "pvcMount": [{"constant": "claim", "mountPath": "/data"}],
        "emptyDirMounts": [
            {
                "volumeName": "shared-memory",
                "mountPath": "/dev/shm",
                "medium": "Memory",
                "sizeLimit": "2Gi",
            }
        ],
        "securityContext": {"runAsUser": "10001", "runAsGroup": "0", "runAsNonRoot": True},
    }


def test_what_holds_for_all_tasks_is_in_each(settings):
    assert len(settings) == 9
    assert settings["exec-push-model"] == {
        "imagePullSecret": [{"secretName": "registry.login"}],
        "podMetadata": settings["exec-train-model"]["podMetadata"],
    }


def test_kfps_own_messages_take_it(settings):
    kind = kubernetes_executor_config_pb2.KubernetesExecutorConfig
    ours = dict(settings["exec-train-model"])
    if "security_context" not in kind.DESCRIPTOR.fields_by_name:
        # kfp-kubernetes 1.5 is older than that field.
        del ours["securityContext"]
    message = json_format.ParseDict(ours, kind())
    assert message.tolerations[0].toleration_seconds == 60


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("env: {A-B: x}", "'tasks.all.env.A-B' is 'A-B': must be a variable's name"),
        ("env: {A: yes}", "'tasks.all.env.A' is yes, which YAML reads as true. Put it in quotes"),
        ("env: {A: x}, kubernetes: {secrets: {A: s/k}}", "A is in env and in kubernetes.secrets"),
        ("kubernetes: {secrets: {A: S_x/k}}", "must be <name>/<key>"),
        ("kubernetes: {secrets: {A: s/k}, config_maps: {A: m/k}}", "A is in secrets and in config"),
        ("kubernetes: {config_maps: {A: m}}", "must be <name>/<key>"),
        ("kubernetes: {secret_volumes: {/a: s}, config_map_volumes: {/b: s}}", "'s' is in secret_v"),
        ("kubernetes: {secret_volumes: {/a: s}, persistent_volumes: {/a: p}}", "/a is a folder of "),
        ("kubernetes: {secret_volumes: {/gcs: s}}", "where tasks on Kubeflow write their artifacts"),
        ("kubernetes: {config_map_volumes: {/s3: m}}", "take another folder"),
        ("kubernetes: {shared_memory: 2GB}", "must be a number of bytes"),
        ("kubernetes: {persistent_volumes: {/dev/shm: p}, shared_memory: 2Gi}", "/dev/shm is a fol"),
        ("kubernetes: {labels: {a b: x}}", "must be a key of at most 63 letters"),
        ("kubernetes: {labels: {a: x y}}", "at most 63 letters, digits"),
        ("kubernetes: {labels: {tier: no}}", "'tasks.all.kubernetes.labels.tier' is no, which YAML"),
        ("kubernetes: {node_selector: {'': ''}}", "must be a key of at most 63 letters"),
        ("kubernetes: {tolerations: [{operator: Equal}]}", "a toleration without a key needs"),
        ("kubernetes: {tolerations: [{operator: Exists, value: a}]}", "a toleration has no value"),
        ("kubernetes: {tolerations: [{key: a, toleration_seconds: 1}]}", "needs 'effect: NoExecute'"),
        ("kubernetes: {image_pull_secrets: [A]}", "a name of lower case letters"),
        ("kubernetes: {security_context: {run_as_user: 0, run_as_non_root: true}}", "is root"),
    ],
)  # fmt: skip
def test_what_kubernetes_would_refuse_is_refused_when_the_file_is_read(load, settings, says):
    with pytest.raises(RetrainerError) as caught:
        load(f"tasks: {{all: {{{settings}}}}}\n")
    assert says in str(caught.value)
    assert "changed.yaml:" in str(caught.value)


def test_what_all_tasks_and_one_set_together_is_checked(load):
    volumes = "kubernetes: {{secret_volumes: {{{}: hashing}}}}"
    with pytest.raises(
        RetrainerError, match=r"train_model\.kubernetes, with what 'all' sets: 'hash"
    ):
        load(f"tasks: {{all: {{{volumes.format('/a')}}}, train_model: {{{volumes.format('/b')}}}}}")


def test_a_run_on_this_machine_names_the_settings_that_it_ignores_in_one_line(load, monkeypatch):
    assert list(ignored_here(load("tasks: {all: {retries: 1, env: {A: b}, caching: false}}"))) == []
    more = """
tasks:
  all: {memory: 4Gi}
  train_model: {cpu: "2", kubernetes: {shared_memory: 1Gi, secrets: {TOKEN: s/k, HOME: s/home}}}
"""
    monkeypatch.delenv("TOKEN", raising=False)
    assert list(ignored_here(load(more))) == [
        "a run on this machine ignores tasks.all.memory, tasks.train_model.cpu, "
        "tasks.train_model.kubernetes.secrets, tasks.train_model.kubernetes.shared_memory. "
        "Set TOKEN in this shell, which a task may need."
    ]
