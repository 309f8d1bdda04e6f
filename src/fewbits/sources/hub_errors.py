"""What went wrong on the hub, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fewbits.errors import SourceError
from fewbits.sources.file import shown
from fewbits.sources.http_errors import in_one_line, network_reason
from fewbits.sources.hub_address import Address
from fewbits.sources.retry import asked_pause, is_kind

__all__ = ["explained", "unreachable"]


@contextmanager
def explained(
    address: Address, endpoint: str, *, file: str = "", cache: str = "", token: bool = False
) -> Iterator[None]:
    """Whatever the hub's client raises inside becomes a `SourceError` that names model, revision and file."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        what = f"{address.repository}@{address.revision}" if address.revision else address.repository
        what = shown(f"{what}: {file}" if file else what)
        raise SourceError(f"{what}: {_reason(_cause(error), address, endpoint, file, cache, token)}") from error


def unreachable(error: BaseException) -> bool:
    """Whether the hub could not answer: no network, offline mode, time-out, too many requests, an error of its own (5xx)."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    error = _cause(error)
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, (OfflineModeIsEnabled, ConnectionError, TimeoutError)) or is_kind(error, "TransportError")


def _reason(error: BaseException, address: Address, endpoint: str, file: str, cache: str, token: bool) -> str:
    from huggingface_hub import errors as hub

    repository = address.repository
    match error:
        case hub.GatedRepoError():
            way = (
                "the token has no access yet; ask for it"
                if token
                else "set HF_TOKEN to a token with access, or ask for it"
            )
            return f"a gated model, {way} at {endpoint}/{repository}"
        case hub.DisabledRepoError():
            return "the model was disabled by the hub"
        case hub.RevisionNotFoundError():
            return f"{repository} has no branch, tag or commit of that name"
        case hub.EntryNotFoundError() if isinstance(error, hub.HfHubHTTPError):
            return "no such file on the hub"
        case hub.RepositoryNotFoundError():
            return "no such model on the hub, or a private one " + (
                "that the token may not read" if token else "(set HF_TOKEN to a token that may read it)"
            )
        case hub.HfHubHTTPError():
            return _status(error.response, endpoint, token)
        case hub.OfflineModeIsEnabled():
            return f"not in the cache {cache}, and offline mode is on (HF_HUB_OFFLINE)"
        case hub.LocalEntryNotFoundError():
            return f"not in the cache {cache}, and the hub at {endpoint} could not be reached"
        case hub.HFValidationError():
            return f"not a name the hub allows ({in_one_line(error)})"
    if reason := network_reason(error, f"the hub at {endpoint}"):
        return f"{reason}, and it is not in the cache {cache}"
    if isinstance(error, (ValueError, KeyError, TypeError)):
        return f"what answers at {endpoint} does not speak like a hub ({in_one_line(error)})"
    return f"the transfer failed: {in_one_line(error)}"


def _status(response: Any, endpoint: str, token: bool) -> str:
    """Answers that mean the same whatever was asked."""
    status, pause = response.status_code, asked_pause(response.headers)
    if status == 401:
        return (
            "the hub does not accept the token (HF_TOKEN, or that of the stored login)"
            if token
            else ("the hub wants a token (set HF_TOKEN)")
        )
    if status == 403:
        return "access denied" + (", the token does not allow it" if token else " without a token (set HF_TOKEN)")
    if status == 429:
        how_long = f" of {pause:.0f} s" if pause else ""
        return f"too many requests, the hub wants a pause{how_long}" + (
            "" if token else " (a token in HF_TOKEN allows more)"
        )
    if status >= 500:
        return f"the hub at {endpoint} has trouble of its own (status {status}); try again later"
    return f"the hub at {endpoint} answered with status {status}"


def _cause(error: BaseException) -> BaseException:
    """What is behind "could not be found locally": why it was not fetched."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error
