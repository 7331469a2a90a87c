"""The Terraform configuration holds against the Google provider's own schemas, and the check can fail."""

import shutil
from pathlib import Path
from types import ModuleType

import pytest

CONFIGURATION = Path(__file__).resolve().parents[2] / "docs/deploy/terraform"

pytestmark = [pytest.mark.integration("go", "terraform"), pytest.mark.slow]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONFIGURATION, tmp_path / "terraform"))


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_configuration_is_valid_and_passes_its_own_tests(check: ModuleType, provider: Path) -> None:
    assert check.check_terraform(provider, CONFIGURATION) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("service.tf", "max_instance_count", "max_instances", 'named "max_instances" is not'),
        ("service.tf", "var.min_instances", "var.least_instances", '"least_instances"'),
        ("variables.tf", "var.max_instances >= var.min_instances", "true", "fewer_instances"),
        ("storage.tf", '"JSON_API_V1"', '"JSON"', "payload_format"),
        ("iam-messages.tf", "google_service_account.push.member", "var.pusher", '"pusher"'),
        ("service.tf", '"INGRESS_TRAFFIC_INTERNAL_ONLY"', '"PRIVATE"', "ingress"),
        ("schedule.tf", "  region    = var.region\n", "  region = var.region\n", "terraform fmt"),
    ],
)
def test_mistakes_are_refused(
    check: ModuleType, provider: Path, copy: Path, file: str, old: str, new: str, said: str
) -> None:
    replace(copy / file, old, new)
    faults = check.check_terraform(provider, copy)
    assert any(said in fault for fault in faults), faults


def test_a_push_account_that_may_not_call_the_service_is_found(
    check: ModuleType, provider: Path, copy: Path
) -> None:
    replace(
        copy / "iam-messages.tf",
        "google_service_account.push.member",
        "google_service_account.pipeline.member",
    )
    faults = check.check_terraform(provider, copy)
    assert any("Only the push account may call the service." in fault for fault in faults)
