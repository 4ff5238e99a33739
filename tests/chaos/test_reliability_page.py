"""The page says what the committed results say, of every fault there is."""

from tests.chaos import results, table
from tests.chaos.planted import ROOT, read_bugs
from tests.chaos.scenarios import names


def test_every_fault_is_described() -> None:
    assert list(table.read_about()) == names()


def test_the_page_has_the_committed_results() -> None:
    page = table.PAGE.read_text()
    assert page == table.render(page, results.read(table.COMMITTED))


def test_no_committed_run_failed_and_every_bug_was_caught() -> None:
    committed = results.read(table.COMMITTED)
    assert [played.scenario for played in committed.scenarios if played.violations] == []
    assert {bug.bug for bug in committed.bugs if bug.scenario} == set(read_bugs())


def test_every_bug_still_has_its_place_in_the_source() -> None:
    for name, bug in read_bugs().items():
        for change in bug.changes:
            text = (ROOT / change.file).read_text()
            assert text.count(change.old) == 1, f"{name}: {change.file} has changed"
