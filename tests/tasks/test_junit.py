"""Reports of several tools, hostile ones, and what they are judged to be."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tasks.junit import SIZE_LIMIT, FailedTest, JunitInvalid, judge, parse_junit

if TYPE_CHECKING:
    from pathlib import Path

SUREFIRE = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="org.example.OrderTest" time="1,001.5"
  tests="4" errors="1" skipped="1" failures="0">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="opens" classname="org.example.OrderTest" time="1,000.25"/>
  <testcase name="flaky" classname="org.example.OrderTest" time="0.25">
    <flakyFailure message="once"/></testcase>
  <testcase name="later" classname="org.example.OrderTest" time="0"><skipped message="not yet"/></testcase>
  <testcase name="saves" classname="org.example.OrderTest" time="1">
    <error message="boom" type="java.lang.IllegalStateException"><![CDATA[at Order.java:7]]></error>
    <system-out>error</system-out>
  </testcase>
</testsuite>"""

XUNIT_NET = b"""<assemblies><assembly name="Suite.dll" total="3" passed="1" failed="1" skipped="1" errors="0">
<collection name="c"><test name="Orders.Opens" type="Orders" method="Opens" time="0.5" result="Pass"/>
<test name="Orders.Saves" time="0.5" result="Fail"><failure exception-type="X"><message>expected 1</message>
<stack-trace>at line 3</stack-trace></failure></test>
<test name="Orders.Later" time="0" result="Skip"><reason>later</reason></test>
</collection></assembly></assemblies>"""


def test_surefire_counts_an_error_and_not_a_flaky_one() -> None:
    report = parse_junit(SUREFIRE)
    assert (report.total, report.passed, report.skipped) == (4, 2, 1)
    assert report.failed == (FailedTest(name="org.example.OrderTest.saves", message="boom\nat Order.java:7"),)
    assert report.duration == timedelta(seconds=1001.5)


def test_xunit_net_is_read_too() -> None:
    report = parse_junit(XUNIT_NET)
    assert (report.total, report.passed, report.skipped) == (3, 1, 1)
    assert report.failed[0].name == "Orders.Saves"
    assert report.failed[0].message.startswith("expected 1")


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_a_real_pytest_report(tmp_path: Path, family: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_sample.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2, 'one is not two'\n"
        "@pytest.mark.skip\ndef test_later(): pass\n"
        "@pytest.mark.xfail\ndef test_known(): assert False\n"
        "@pytest.fixture\ndef broken(): raise RuntimeError('no database')\n"
        "def test_error(broken): pass\n"
    )
    junit = tmp_path / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"junit_family={family}"]
    done = subprocess.run([*command, f"--junit-xml={junit}"], cwd=tmp_path, check=False, capture_output=True)
    report = parse_junit(junit)
    assert done.returncode == 1
    assert (report.total, report.passed, report.skipped) == (5, 1, 2)
    assert [test.name for test in report.failed] == ["test_sample.test_bad", "test_sample.test_error"]
    assert "one is not two" in report.failed[0].message
    assert "no database" in report.failed[1].message


def _suite(inside: str, claims: str = "") -> bytes:
    return f'<testsuites><testsuite name="s" {claims}>{inside}</testsuite></testsuites>'.encode()


GOOD = '<testcase name="a"/>'
BAD = '<testcase name="b"><failure message="m"/></testcase>'


@pytest.mark.parametrize(
    ("data", "exit_code", "green", "reason"),
    [
        (_suite(GOOD), 0, True, "1 of 1 tests passed, none failed."),
        (_suite(GOOD + BAD), 1, False, "1 of 2 tests failed: b."),
        (_suite(GOOD + BAD), 0, False, "1 of 2 tests failed: b."),
        (_suite(""), 0, False, "No test passed: 0 in the report, 0 of them skipped."),
        (
            _suite('<testcase name="a"><skipped/></testcase>'),
            0,
            False,
            "No test passed: 1 in the report, 1 of them skipped.",
        ),
        (
            _suite(GOOD),
            2,
            False,
            "The test command ended with exit code 2, although its report shows no failure.",
        ),
        (_suite(GOOD, 'failures="1"'), 0, False, "1 of 2 tests failed: suite s."),
        (_suite('<error message="setup"/>' + GOOD, 'errors="1"'), 0, False, "1 of 2 tests failed: suite s."),
        (_suite(BAD * 7), 1, False, "7 of 7 tests failed: b, b, b, b, b, …."),
    ],
)
def test_what_a_run_is_judged_to_be(data: bytes, exit_code: int, *, green: bool, reason: str) -> None:
    verdict = judge(parse_junit(data), exit_code)
    assert (verdict.green, verdict.reason) == (green, reason)


BILLION_LAUGHS = b"""<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuite><testcase name="&b;"/></testsuite>"""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BILLION_LAUGHS, "document type or an entity"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "document type or an entity"),
        (b'<testsuite><testcase name="&lol;"/></testsuite>', "not well-formed"),
        (b"<testsuite><testcase></testsuite>", "not well-formed"),
        (b"", "not well-formed"),
        (b"\x00\xff", "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><testsuite/>', "(not well-formed|encoding)"),
        (b"<html/>", "its root is <html>"),
        (b'<testsuite failures="many"/>', "no number"),
        (b"<testsuite>" * 200, "nested deeper than 100"),
        (b"<testsuite>" + b" " * SIZE_LIMIT + b"</testsuite>", "larger than"),
    ],
)
def test_a_report_that_cannot_be_trusted_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(JunitInvalid, match=reason):
        parse_junit(data)


def test_a_report_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JunitInvalid, match="No such file"):
        parse_junit(tmp_path / "none.xml")


def test_a_long_message_is_cut() -> None:
    long = "x" * 1_000_000
    report = parse_junit(_suite(f'<testcase name="b"><failure>{long}</failure></testcase>'))
    assert len(report.failed[0].message) <= 2000


@pytest.mark.parametrize("time", ["nan", "inf", "-1", "soon", ""])
def test_a_senseless_time_counts_as_nothing(time: str) -> None:
    assert parse_junit(_suite(f'<testcase name="a" time="{time}"/>')).duration == timedelta(0)
