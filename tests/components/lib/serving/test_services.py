import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.serving.interface import Plan, ServedModel
from retrainer.components.lib.serving.services import SERVICES, open_service
from retrainer.pipelines.project.sections.deploy.deploy import DeployConfig


def test_every_service_has_a_section_of_retrain_yaml():
    assert list(DeployConfig.model_fields) == list(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_section_says_what_a_rollout_may_ask_of_the_service(service):
    section = DeployConfig.model_fields[service].annotation.__args__[0]
    assert hasattr(section, "splits")
    assert hasattr(section, "shadows")


def test_a_new_service_takes_a_module_and_a_line(memory, settings):
    # The fixture adds the line; the module is tests/servers/memory_service.py.
    opened = open_service("memory", settings, "tips")
    assert opened.apply(Plan(ServedModel(1, "models/1", "digest"))).traffic == {1: 100}
    assert opened.status().loaded == (1,)


def test_an_unknown_service_is_named_with_those_there_are():
    with pytest.raises(RetrainerError, match=r"unknown service 'fly'.*there are: vertex, kserve"):
        open_service("fly", {}, "tips")
