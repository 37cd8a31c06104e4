"""How often somebody may ask: token buckets in memory, per visitor's address and per customer."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nakoming.portal.errors import ProxyRefused, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request

_KEPT: Final = 50_000
_IPV6_HOUSE: Final = 64  # one subscriber has a whole /64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Rate:
    """So many at once, and so many a second after that."""

    burst: int
    per_second: float


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a portal."""

    address: Rate = Rate(60, 2.0)
    customer: Rate = Rate(120, 4.0)
    lost_by_address: Rate = Rate(5, 1 / 60)
    lost_by_mailbox: Rate = Rate(2, 1 / 900)


@dataclass
class _Bucket:
    left: float
    at: float


@dataclass
class Buckets:
    """One bucket per key; the longest unused are forgotten, which only ever favours a visitor."""

    rate: Rate
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, key: str) -> int:
        """Take one; 0 when there was one, else the whole seconds until there is."""
        with self._lock:
            now = self.clock()
            bucket = self._buckets.setdefault(key, _Bucket(float(self.rate.burst), now))
            bucket.left = min(self.rate.burst, bucket.left + (now - bucket.at) * self.rate.per_second)
            bucket.at = now
            self._buckets.move_to_end(key)
            if len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
            if bucket.left >= 1:
                bucket.left -= 1
                return 0
            return max(1, math.ceil((1 - bucket.left) / self.rate.per_second))

    def take(self, key: str) -> None:
        """Take one; `TooManyRequests` when there is none."""
        if seconds := self.wait(key):
            raise TooManyRequests(seconds=seconds)


def networks(proxies: Iterable[str]) -> tuple[Network, ...]:
    """The networks of the proxies whose word is taken.

    Raises:
        ProxyRefused: one of them is no address or network.
    """
    found = []
    for proxy in proxies:
        try:
            found.append(ipaddress.ip_network(proxy, strict=False))
        except ValueError as wrong:
            raise ProxyRefused(proxy=proxy) from wrong
    return tuple(found)


def visitor(request: Request, trusted: tuple[Network, ...]) -> str:
    """The address of a visitor: the peer, or what trusted proxies say about who came before them."""
    peer = request.client.host if request.client else ""
    chain = [part.strip() for part in ",".join(request.headers.getlist("x-forwarded-for")).split(",")]
    while chain and chain[-1] and _is_trusted(peer, trusted):
        before = chain.pop()
        if _address(before) is None:
            break
        peer = before
    return peer


def bucket_key(address: str) -> str:
    """The key under which an address is counted: IPv6 by subscriber."""
    parsed = _address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _IPV6_HOUSE), strict=False))
    return address


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    parsed = _address(address)
    return parsed is not None and any(parsed in network for network in trusted)
