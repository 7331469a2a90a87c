"""What `make mutation` draws, and that it knows the modules and tests of each area."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "mutation"

SOURCE = '''
"""Doc of 1 line, not drawn."""
WAIT_SECONDS = 5

def check(value: int = 3, low: float = 0.5) -> bool:
    """Return whether 1 < value."""
    if value >= low and value not in (1,):
        log(f"too large: {value > 2}")
        raise ValueError(f"{value > 7}")
    return min(value, low) < any(one for one in names if one)
'''


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(FOLDER.parents[1])
    import run

    yield run
    for name in ("run", "areas", "faults", "forks"):
        del sys.modules[name]


def test_faults_are_drawn_from_logic_and_not_from_words(tool):
    found = {(fault.before, fault.after) for fault in tool.faults_of("a.py", SOURCE)}
    assert found == {
        ("3", "(4)"),
        ("0.5", "(1.0)"),
        ("1", "(2)"),
        ("value >= low", "(value > low)"),
        ("value >= low", "(value < low)"),
        ("value not in (1,)", "(value in (1,))"),
        ("value >= low and value not in (1,)", "(value >= low or value not in (1,))"),
        ("value >= low and value not in (1,)", "(value not in (1,))"),
        ("value >= low and value not in (1,)", "(value >= low)"),
        ('raise ValueError(f"{value > 7}")', "pass"),
        ("return min(value, low) < any(one for one in names if one)", "pass"),
        (
            "min(value, low) < any(one for one in names if one)",
            "(min(value, low) <= any((one for one in names if one)))",
        ),
        (
            "min(value, low) < any(one for one in names if one)",
            "(min(value, low) >= any((one for one in names if one)))",
        ),
        ("min(value, low)", "(max(value, low))"),
        ("any(one for one in names if one)", "(all((one for one in names if one)))"),
        ("one", "True"),
    }


def test_a_return_of_nothing_where_the_function_ends_anyway_is_no_fault(tool):
    source = """
def find(names):
    for name in names:
        if name:
            return None
    try:
        with open(name) as file:
            return file.read()
    except OSError:
        if names:
            return None
        return False
"""
    dropped = [
        (one.line, one.before) for one in tool.faults_of("a.py", source) if one.after == "pass"
    ]
    # In the loop it goes on, and from `if` to the next statement.
    assert dropped == [(5, "return None"), (8, "return file.read()"), (11, "return None")]


def test_zips_assertion_of_equal_lengths_is_no_fault(tool):
    assert tool.faults_of("a.py", "pairs = zip(one[:], two, strict=True)") == []
    assert tool.faults_of("a.py", "pairs = read(one, strict=True)") != []


def test_the_bound_of_a_clock_and_how_often_something_is_tried_are_no_faults(tool):
    for clock in ("time.monotonic()", "perf_counter()", "time.time()"):
        (left,) = tool.faults_of("a.py", f"late = {clock} > end")
        assert left.after == f"({clock} <= end)"
    for bound in ("now > end", "row.time() > end", "read(time) > end"):
        assert len(tool.faults_of("a.py", f"late = {bound}")) == 2
    assert tool.faults_of("a.py", "_MOST_RACES = 20\n_TRIES = 3") == []
    assert len(tool.faults_of("a.py", "entries = 20")) == 1


def test_the_order_of_what_is_suppressed_is_no_fault(tool):
    assert tool.faults_of("a.py", "with suppress(KeyError, OSError):\n    a = 'b'") == []
    assert tool.faults_of("a.py", "with open(path, mode):\n    a = 'b'") != []


def test_a_fault_changes_its_place_alone(tool):
    source = "größe = 1\nif größe > 3:\n    größe = 2\n"
    (fault,) = [one for one in tool.faults_of("a.py", source) if one.after == "(größe >= 3)"]
    assert fault.faulty == "größe = 1\nif (größe >= 3):\n    größe = 2\n"
    assert fault.line == 2


def test_each_area_has_modules_and_tests_and_a_seed_draws_the_same_again(tool):
    for name, area in tool.AREAS.items():
        for path in tool.modules_of(area):
            near, others = tool.tests_of(name, path)
            assert near or others, path
            assert not set(near) & set(others)
    areas = ["registry", "claims"]
    drawn = tool.draw(areas, 5, seed=3)
    assert drawn == tool.draw(areas, 5, seed=3) != tool.draw(areas, 5, seed=4)
    assert [area for area, _ in drawn] == ["registry", "claims", "registry", "claims", "registry"]


@pytest.mark.parametrize(("survivors", "code"), [(1, 0), (2, 1)])
def test_it_fails_under_nine_of_ten(tool, capsys, survivors, code):
    fault = tool.faults_of("a.py", SOURCE)[0]
    outcomes = [
        tool.Outcome("gate", fault, "" if i < survivors else "test_x", 1) for i in range(10)
    ]
    assert tool.report(outcomes, seed=1) == code
    assert f"({10 - survivors}0%, seed 1)" in capsys.readouterr().out
