"""Settings of the whole suite: hypothesis profiles, and what a missing browser means."""

from __future__ import annotations

import os
from collections.abc import Generator

import hypothesis
import pytest

# Numba compiles on first use, so a deadline would measure the compiler. CI draws the same examples every time.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

_BROWSER_REQUIRED = os.environ.get("FEWBITS_BROWSER") == "required"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A browser test that skips is a failure where a browser is required (CI)."""
    report = yield
    if _BROWSER_REQUIRED and report.skipped and item.get_closest_marker("browser"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but FEWBITS_BROWSER=required: {call.excinfo}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many browser tests ran where they are required; none at all fails the run (see pytest_sessionfinish)."""
    if _BROWSER_REQUIRED:
        passed = _browser_tests_passed(terminalreporter.config)
        terminalreporter.write_line(f"browser tests passed: {passed} (FEWBITS_BROWSER=required wants at least one)")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A whole run without a single browser test cannot pass where browsers are required."""
    if not _BROWSER_REQUIRED or hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    whole = not (session.config.option.keyword or session.config.option.markexpr)
    if whole and exitstatus == pytest.ExitCode.OK and not _browser_tests_passed(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _browser_tests_passed(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    assert isinstance(reporter, pytest.TerminalReporter)
    return sum("browser" in report.keywords for report in reporter.stats.get("passed", []))
