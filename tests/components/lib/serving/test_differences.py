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


@pytest.mark.parametrize(
    ("traffic", "found"),
    [
        ({1: 90, 2: 10}, ()),
        (
            {1: 60, 3: 40},
            (
                "version 1 gets 60 % of the requests, and should get 90 %",
                "version 2 gets 0 % of the requests, and should get 10 %",
                "version 3 gets 40 % of the requests, and should get 0 %",
            ),
        ),
    ],
)
def test_where_requests_are_split_each_version_has_its_sentence(traffic, found):
    plan = PlannedVersions(1, 2, 10)
    assert find_differences(plan, Served(traffic, splits=True)) == found


def test_a_canary_without_requests_should_be_loaded():
    plan = PlannedVersions(1, 2)
    (found,) = find_differences(plan, Served({1: 100}, splits=True))
    assert found == "version 2 should be loaded, and is not"
    assert find_differences(plan, Served({1: 100}, splits=True, loaded=(2,))) == ()


@pytest.mark.parametrize(
    ("plan", "served"),
    [
        # A service that only labels versions gives all requests to the stable one.
        (PlannedVersions(1, 2, 10), Served({1: 100}, (1, 2), splits=False)),
        (PlannedVersions(1, None, 10), Served({1: 100}, splits=True)),
        (PlannedVersions(1, 2, 100), Served({2: 100}, splits=True)),
        (PlannedVersions(None, 2, 0), Served({}, (2,), splits=True)),
    ],
)
def test_what_is_as_planned_is_no_difference(plan, served):
    assert find_differences(plan, served) == ()
