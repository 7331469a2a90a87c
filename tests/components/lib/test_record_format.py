"""A record of another release's format, or of none, names both formats and what to do."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.record_format import check_format


@pytest.mark.parametrize(
    ("content", "found"), [({"format": 3}, 3), ({"format": 1}, 1), ({}, None), ([2], None)]
)
def test_another_format_is_an_error_that_names_both(content, found):
    with pytest.raises(RetrainerError) as error:
        check_format(content, 2, "'a.json'", "Run it again.")
    assert str(error.value) == (
        f"'a.json' has format {found}, and this version of retrainer reads format 2. Run it again."
    )


def test_its_own_format_is_read():
    check_format({"format": 2, "more": 1}, 2, "'a.json'")
