import pytest

from retrainer.components.lib.serving.deployments import PlannedVersions
from retrainer.components.lib.serving.differences import find_differences
from retrainer.components.lib.serving.interface import Served


@pytest.mark.parametrize(
    ("stable", "traffic", "found"),
    [
        (2, {2: 100}, ()),
        (2, {3: 100}, ("clients get version 3, and should get version 2",)),
        (2, {}, ("clients get no version, and should get version 2",)),
        (None, {3: 100}, ("clients get version 3, and should get no version",)),
    ],
)
def test_where_requests_are_not_split_one_sentence_has_both_versions(stable, traffic, found):
    assert find_differences(PlannedVersions(stable), Served(traffic, splits=False)) == found
