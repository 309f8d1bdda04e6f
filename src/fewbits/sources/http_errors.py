"""What went wrong between this machine and a server, in one line, whatever the server is."""

from __future__ import annotations

from typing import Any

from fewbits.sources.file import shown
from fewbits.sources.retry import asked_pause, is_kind

__all__ = ["StatusError", "in_one_line", "network_reason", "status_reason"]


class StatusError(Exception):
    """An answer that is an error; `response` is it."""

    def __init__(self, response: Any) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response


def network_reason(error: BaseException, server: str) -> str:
    """Why nothing came from `server`; "" where the error is not one of the network."""
    text, line = str(error).lower(), in_one_line(error)
    if is_kind(error, "OfflineModeIsEnabled"):
        return "offline mode is on (HF_HUB_OFFLINE)"
    if isinstance(error, TimeoutError) or is_kind(error, "TimeoutException"):
        return f"{server} did not answer in time (HF_HUB_DOWNLOAD_TIMEOUT is the number of seconds)"
    if "certificate" in text or "ssl" in text or "tls" in text:
        return f"no safe connection to {server} ({line}); SSL_CERT_FILE names the certificates to trust"
    if any(word in text for word in ("name resolution", "name or service", "getaddrinfo", "nodename")):
        return f"the name of {server} is not known to the network ({line}); is there a connection?"
    if isinstance(error, ConnectionError) or is_kind(error, "TransportError"):
        return f"no connection to {server} ({line})"
    return ""


def status_reason(response: Any, server: str) -> str:
    """What an error answer of a server that is no hub means."""
    status, pause = response.status_code, asked_pause(response.headers)
    match status:
        case 401 | 403:
            return f"{server} denies access (status {status}); a signed link may have expired"
        case 404 | 410:
            return f"no such file at {server} (status {status})"
        case 416:
            return "the file has become shorter"
        case 429:
            return "too many requests" + (
                f", {server} wants a pause of {pause:.0f} s" if pause else "; try again later"
            )
    if status >= 500:
        return f"{server} has trouble of its own (status {status}); try again later"
    return f"{server} answered with status {status}"


def in_one_line(error: BaseException) -> str:
    """The text of an error, else its kind."""
    return shown(" ".join(str(error).split()) or type(error).__name__)
