"""Ask a service itself whether it runs, and which release: what its installer says is not proof (S-2.6.3)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx

from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from datetime import timedelta

_BODY_LIMIT: Final = 64 * 1024
_REDIRECTS: Final = 3
_PAUSE_SECONDS: Final = 0.2


class HealthCheckFailed(NakomingError):
    """A service does not answer as the release that was installed. `data`: url, what, expected, got."""

    template = "{url} fails its check of {what}: {expected} is expected, {got} was found."
    code = "NK5020"


@dataclass(frozen=True, kw_only=True)
class ServiceFacts:
    """What a service said of itself.

    Attributes:
        url: its address.
        version: its version.
        sha256: SHA-256 of the artefact it runs, as hexadecimal.
        health: its answer to `/health`.
    """

    url: str
    version: str
    sha256: str
    health: dict[str, Any]


def verify_service(url: str, *, version: str, sha256: str, timeout: timedelta) -> ServiceFacts:
    """Ask `/health` and `/version` until both are right, or the time is up.

    A service may need a moment to start, and the old one may still answer for a moment; hence asking again.

    Args:
        url: the service's address, without `/health`.
        version: the version it must have.
        sha256: the SHA-256 of the artefact it must run.
        timeout: how long all of it may take.

    Raises:
        HealthCheckFailed: the last thing that was wrong when the time was up.
    """
    until = time.monotonic() + timeout.total_seconds()
    said: HealthCheckFailed | None = None
    while True:
        try:
            return _look(url.rstrip("/"), version, sha256, until)
        except HealthCheckFailed as failed:
            # What the service itself said tells more than that the last look was cut short.
            cut_short = isinstance(failed.__cause__, httpx.TimeoutException)
            said = said if said is not None and cut_short else failed
            if time.monotonic() + _PAUSE_SECONDS >= until:
                raise said from None
        time.sleep(_PAUSE_SECONDS)


def _look(url: str, version: str, sha256: str, until: float) -> ServiceFacts:
    with httpx.Client(follow_redirects=False, trust_env=False) as client:
        health = _get_json(client, url + "/health", until)
        if health.get("status") != "ok" and health.get("healthy") is not True:
            raise HealthCheckFailed(url=url, what="health", expected="status ok", got=_short(health))
        facts = _get_json(client, url + "/version", until)
    for what, expected in (("version", version), ("sha256", sha256)):
        if facts.get(what) != expected:
            raise HealthCheckFailed(url=url, what=what, expected=expected, got=_short(facts.get(what)))
    return ServiceFacts(url=url, version=version, sha256=sha256, health=health)


def _get_json(client: httpx.Client, url: str, until: float) -> dict[str, Any]:
    try:
        status, body = _get(client, url, until)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        got = str(error) or type(error).__name__
        raise HealthCheckFailed(url=url, what="an answer", expected="status 200", got=got) from error
    if status != httpx.codes.OK:
        got = f"status {status}: {_short(body.decode(errors='backslashreplace'))}"
        raise HealthCheckFailed(url=url, what="an answer", expected="status 200", got=got)
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        got = _short(body.decode(errors="backslashreplace"))
        raise HealthCheckFailed(url=url, what="an answer", expected="a JSON object", got=got)
    return content


def _get(client: httpx.Client, url: str, until: float) -> tuple[int, bytes]:
    # Redirects are followed by hand: another host's word counts for nothing.
    target = url
    for _ in range(_REDIRECTS):
        left = max(0.05, until - time.monotonic())
        with client.stream("GET", target, timeout=left) as response:
            if not response.has_redirect_location:
                return response.status_code, _read(response, until)
            following = str(response.url.join(response.headers["location"]))
        if urlsplit(following)[:2] != urlsplit(url)[:2]:
            raise HealthCheckFailed(
                url=url, what="an answer", expected="one of its own", got=f"a redirect to {following}"
            )
        target = following
    raise HealthCheckFailed(url=url, what="an answer", expected="status 200", got="redirect after redirect")


def _read(response: httpx.Response, until: float) -> bytes:
    # A time-out counts from byte to byte; a service that drips would hold us for ever.
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise httpx.ReadError(f"more than {_BODY_LIMIT} bytes")
        if time.monotonic() > until:
            raise httpx.ReadTimeout("it takes too long")
    return body


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "…"  # noqa: PLR2004 (a sentence stays a sentence)
