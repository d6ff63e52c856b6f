"""A browser's test is tried once more when it fails.

About one in some hundred fails now and then, another each time; the cause is not known yet. Whoever finds it takes this away.
"""

from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

_HERE = Path(__file__).parent


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Runs a test of this folder; only what fails twice in a row has failed."""
    if not item.path.is_relative_to(_HERE):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        item._initrequest()  # type: ignore[attr-defined]  # fresh fixtures of the test's own
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
