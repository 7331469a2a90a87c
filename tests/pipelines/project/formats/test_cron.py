import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.project.formats.cron import check_cron, expand_cron


@pytest.mark.parametrize(
    "cron",
    ["30 6 * * 1-5", "*/10 * * * *", "0 0 1,15 * *", "5 4 * JAN-mar sun", "0 0-12/3 * * *"],
)
def test_what_services_take_is_taken(cron):
    check_cron(cron, "Europe/Berlin")


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("0 6 * *", "has 4 fields and needs 5"),
        ("0 0 6 * * *", "has 6 fields and needs 5"),
        ("@daily", "has 1 fields and needs 5"),
        ("", "has 0 fields and needs 5"),
        ("60 6 * * *", "the minute is '60', and it takes 0-59"),
        ("0 24 * * *", "the hour is '24'"),
        ("0 6 0 * *", "the day of the month is '0'"),
        ("0 6 * 13 *", "the month is '13', and it takes 1-12 or jan-dec"),
        ("0 6 * * 7", "the day of the week is '7', and it takes 0-6 or sun-sat"),
        ("0 6 * * fri-mon", "the day of the week is 'fri-mon'"),
        ("*/0 6 * * *", r"the minute is '\*/0'"),
        ("1, 6 * * *", "the minute is '1,'"),
        ("0 6 ? * *", r"the day of the month is '\?'"),
        ("TZ=UTC 6 * * *", "the minute is 'TZ=UTC'"),
        ("٣ 6 * * *", "the minute is"),
    ],
)
def test_what_a_service_would_refuse_is_refused_here(cron, says):
    with pytest.raises(RetrainerError, match=says):
        check_cron(cron, "UTC")


@pytest.mark.parametrize("zone", ["Berlin", "", "../etc/passwd", "Europe", "Mars/Olympus\0"])
def test_a_time_zone_that_does_not_exist_is_refused(zone):
    with pytest.raises(RetrainerError, match="there is no time zone"):
        check_cron("0 6 * * *", zone)


def test_short_forms_are_written_out():
    assert expand_cron("@daily") == "0 0 * * *"
    assert expand_cron(" 30  6 * * 1-5") == "30 6 * * 1-5"
    with pytest.raises(ValueError, match="'@every 1h' is not known; take five fields, or @hourly"):
        expand_cron("@every 1h")
