"""Read a JUnit XML report and judge a test run by it (stage test of S-2.3.2): red goes back with the list.

The report comes from the vendor's build and may be anything. It is read with the parser's events, without a
tree; a document type or entity is refused, size and depth are limited. What is counted are the test cases
themselves: a suite that claims more failures than it lists adds one, so that nothing red is read as green.
Understood: pytest (xunit1, xunit2), Maven Surefire, the JUnit output of others, xUnit.net's own format.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, NoReturn
from xml.parsers import expat

from nakoming.errors import NakomingError

SIZE_LIMIT: Final = 32 * 1024 * 1024
_DEPTH_LIMIT: Final = 100
_MESSAGE_LIMIT: Final = 2000
_LONGEST_SECONDS: Final = 1e9
_NAMES_SHOWN: Final = 5
_ROOTS: Final = frozenset({"testsuites", "testsuite", "assemblies", "assembly"})
_SUITES: Final = _ROOTS - {"assemblies"}
_CASES: Final = frozenset({"testcase", "test"})
_FAULTS: Final = frozenset({"failure", "error"})


class JunitInvalid(NakomingError):
    """A test report that cannot be trusted to be whole."""

    template = "The JUnit report cannot be read: {reason}."
    code = "NK5050"


@dataclass(frozen=True, kw_only=True)
class FailedTest:
    """A test that failed, or could not run.

    Attributes:
        name: class or module and name, as the report gives them.
        message: what it says, shortened.
    """

    name: str
    message: str


@dataclass(frozen=True, kw_only=True)
class TestReport:
    """What a report holds.

    Attributes:
        total: test cases listed, and failures claimed but not listed.
        passed: of them, neither failed nor skipped.
        failed: of them, failed or in error.
        skipped: of them, not run on purpose.
        duration: sum of the cases' times.
    """

    __test__ = False
    total: int
    passed: int
    failed: tuple[FailedTest, ...]
    skipped: int
    duration: timedelta


@dataclass(frozen=True, kw_only=True)
class TestVerdict:
    """Green or red, with the reason.

    Attributes:
        green: whether the artefact may go on.
        reason: one sentence.
    """

    __test__ = False
    green: bool
    reason: str


def judge(report: TestReport, exit_code: int) -> TestVerdict:
    """Judge a run by its report and its exit code: both must be good, and something must have been tested."""
    if report.failed:
        names = ", ".join(test.name for test in report.failed[:_NAMES_SHOWN])
        names += ", …" if len(report.failed) > _NAMES_SHOWN else ""
        reason = f"{len(report.failed)} of {report.total} tests failed: {names}."
    elif report.passed == 0:
        reason = f"No test passed: {report.total} in the report, {report.skipped} of them skipped."
    elif exit_code != 0:
        reason = f"The test command ended with exit code {exit_code}, although its report shows no failure."
    else:
        return TestVerdict(green=True, reason=f"{report.passed} of {report.total} tests passed, none failed.")
    return TestVerdict(green=False, reason=reason)


def parse_junit(source: Path | bytes) -> TestReport:
    """Read a report.

    Args:
        source: the file, or what it holds.

    Raises:
        JunitInvalid: not readable, too large, not well formed, with a document type, or no JUnit report.
    """
    data = _read(source) if isinstance(source, Path) else source
    if len(data) > SIZE_LIMIT:
        raise JunitInvalid(reason=f"it is larger than {SIZE_LIMIT} bytes")
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise JunitInvalid(reason=f"it is not well-formed XML ({error})") from error
    except (ValueError, LookupError) as error:
        raise JunitInvalid(reason=f"its encoding is not supported ({error})") from error
    return reader.report()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise JunitInvalid(reason=f"{path}: {error.strerror}") from error


@dataclass
class _Case:
    name: str
    seconds: float = 0.0
    failed: bool = False
    skipped: bool = False
    message: str = ""
    of_suite: bool = False


@dataclass(frozen=True)
class _Suite:
    name: str
    claimed: int
    faults_before: int


@dataclass
class _Reader:
    """The parser's events, made into counts."""

    depth: int = 0
    passed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    faults: int = 0
    open_faults: int = 0
    case: _Case | None = None
    failed: list[FailedTest] = field(default_factory=list)
    suites: list[_Suite] = field(default_factory=list)
    parser: expat.XMLParserType = field(init=False)

    def __post_init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = _refuse
        self.parser.EntityDeclHandler = _refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def report(self) -> TestReport:
        return TestReport(
            total=self.passed + self.skipped + len(self.failed),
            passed=self.passed,
            failed=tuple(self.failed),
            skipped=self.skipped,
            duration=timedelta(seconds=min(self.seconds, _LONGEST_SECONDS)),
        )

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        tag = qualified.rpartition(" ")[2]
        if self.depth == 0 and tag not in _ROOTS:
            raise JunitInvalid(reason=f"its root is <{tag[:100]}>, not one of {', '.join(sorted(_ROOTS))}")
        self.depth += 1
        if self.depth > _DEPTH_LIMIT:
            raise JunitInvalid(reason=f"its elements are nested deeper than {_DEPTH_LIMIT}")
        if self.case is not None:
            self._inside_case(self.case, tag, attributes)
        elif tag in _CASES:
            self.case = _new_case(attributes)
        elif tag in _SUITES:
            self.suites.append(_Suite(attributes.get("name", tag), _claimed(attributes), self.faults))
        elif tag in _FAULTS and self.suites:
            # An error of the suite itself: no test case could be made of it.
            self.case = _Case(f"suite {self.suites[-1].name}", of_suite=True)
            self._inside_case(self.case, tag, attributes)

    def _inside_case(self, case: _Case, tag: str, attributes: dict[str, str]) -> None:
        if tag in _FAULTS:
            case.failed = True
            self.faults += 1
            self.open_faults += 1
            self._text(attributes.get("message", "") + "\n")
        elif tag == "skipped":
            case.skipped = True

    def _text(self, text: str) -> None:
        if self.case is not None and self.open_faults and len(self.case.message) < _MESSAGE_LIMIT:
            self.case.message += text[:_MESSAGE_LIMIT]

    def _end(self, qualified: str) -> None:
        tag = qualified.rpartition(" ")[2]
        self.depth -= 1
        if self.case is None:
            if tag in _SUITES:
                self._close_suite(self.suites.pop())
            return
        if tag in _FAULTS:
            self.open_faults -= 1
        if tag in _CASES or (self.case.of_suite and self.open_faults == 0):
            self._close_case(self.case)
            self.case = None

    def _close_case(self, case: _Case) -> None:
        self.seconds += case.seconds
        if case.failed:
            self.failed.append(FailedTest(name=case.name, message=case.message.strip()[:_MESSAGE_LIMIT]))
        elif case.skipped:
            self.skipped += 1
        else:
            self.passed += 1

    def _close_suite(self, suite: _Suite) -> None:
        listed = self.faults - suite.faults_before
        if suite.claimed > listed:
            message = f"It claims {suite.claimed} failures and errors and lists {listed}."
            self.failed.append(FailedTest(name=f"suite {suite.name}", message=message))
            self.faults += suite.claimed - listed


def _new_case(attributes: dict[str, str]) -> _Case:
    owner, name = attributes.get("classname"), attributes.get("name", "without a name")
    result = attributes.get("result", "").lower()  # xUnit.net's own format
    return _Case(
        name=f"{owner}.{name}" if owner else name,
        seconds=_seconds(attributes.get("time", "")),
        failed=result.startswith("fail"),
        skipped=result in {"skip", "notrun"},
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text.replace(",", ""))  # Surefire writes 1,234.5
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _claimed(attributes: dict[str, str]) -> int:
    claims = (attributes.get(name) or "0" for name in ("failures", "errors", "failed"))
    try:
        return sum(int(claim) for claim in claims)
    except ValueError as error:
        raise JunitInvalid(reason=f"a suite's number of failures is no number ({error})") from error


def _refuse(*_: object) -> NoReturn:
    raise JunitInvalid(reason="it has a document type or an entity, which no test report needs")
