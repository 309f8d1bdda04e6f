"""Requests tried again: after what, how often, and how long to wait in between."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

__all__ = ["Broken", "asked_pause", "is_kind", "retried", "transient", "wait"]

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before a request is tried again
LONGEST = 60.0  # seconds a server may ask us to wait
TRANSIENT = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524)
FEW = 2  # attempts after the first where something else can be done instead

T = TypeVar("T")


class Broken(ConnectionError):
    """A transfer that ended early, or an answer that is not what was asked for."""


def retried(request: Callable[[], T]) -> T:
    """The answer; asked again a few times where the server could not answer."""
    for failures in range(min(FEW, len(PAUSES))):
        try:
            return request()
        except Exception as error:
            if not transient(error) or not wait(failures, error):
                raise
    return request()


def transient(error: BaseException) -> bool:
    """Whether the same request may succeed later: time-outs, broken connections, too many requests, 5xx."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        return status in TRANSIENT
    if "CERTIFICATE" in str(error).upper():
        return False
    lost = isinstance(error, ConnectionError | TimeoutError) or is_kind(error, "TransportError")
    return lost and not is_kind(error, "OfflineModeIsEnabled") and not is_kind(error, "UnsupportedProtocol")


def wait(failures: int, error: BaseException) -> bool:
    """Pause after the failure of that number (from 0), as long as the server asks; False when it is not worth it."""
    if failures >= len(PAUSES):
        return False
    asked = asked_pause(getattr(getattr(error, "response", None), "headers", {}))
    if asked > LONGEST:
        return False
    time.sleep(max(asked, PAUSES[failures] * random.uniform(0.75, 1.25)))
    return True


def asked_pause(headers: Mapping[str, str]) -> float:
    """Seconds that an answer asks to wait: Retry-After (seconds or a date), else the hub's RateLimit; 0 where it does not."""
    text = headers.get("retry-after") or headers.get("Retry-After") or ""
    if text.strip().isdecimal():
        return float(text)
    if text:
        try:
            return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0)
        except (TypeError, ValueError):
            return 0.0
    match = re.search(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", headers.get("ratelimit") or headers.get("RateLimit") or "")
    return float(match[1]) if match else 0.0


def is_kind(error: BaseException, name: str) -> bool:
    """By the name of a class of the HTTP library, which is another one in each version of the hub's client."""
    return any(kind.__name__ == name for kind in type(error).__mro__)
