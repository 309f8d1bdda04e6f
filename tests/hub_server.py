"""A hub on the loopback interface: the part of the API that is needed to read models, plain files, and faults of all kinds."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """A model: revision → commit, commit → files. `token`: who may see it; `gate`: who may read its files."""

    revisions: dict[str, str]
    commits: dict[str, dict[str, bytes]]
    token: str | None = None
    gate: str | None = None
    lfs: tuple[str, ...] = (".safetensors",)


@dataclass
class Fault:
    """What goes wrong with the next `times` answers to paths that contain `path`.

    kind: `status` (value: the status), `drop` (value: bytes of the body before the connection ends), `slow` (value:
    seconds), `range` (value: how much the range is shifted), `size` (value: how much longer the file seems), `reset`.
    """

    kind: str
    path: str = ""
    value: float = 0
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Hub:
    """What the server knows and what it was asked. `broken`: answer 500 to paths that contain one of these texts.

    `files`: what is at /files/NAME, with an ETag, or only a date where `etags` is off. `signature`: locations that the hub
    redirects to carry it, and hold as long as it stays.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    known_tokens: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    etags: bool = True
    signature: int = 0
    delay: float = 0.0
    ranges: bool = True
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range
    tokens: list[str | None] = field(default_factory=list)
    cdn_tokens: list[str | None] = field(default_factory=list)
    sent: int = 0  # bytes of files
    url: str = ""
    busy: int = 0
    busiest: int = 0  # requests at a time

    def fault(self, path: str, *kinds: str) -> Fault | None:
        """The fault that is due for a path, if there is one."""
        for fault in self.faults:
            if fault.path in path and fault.kind in kinds and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def add(self, name: str, files: dict[str, bytes], revision: str = "main", **options: Any) -> str:
        """Commit files to a revision; returns the commit."""
        digest = hashlib.sha1(repr([name, revision, sorted(files.items())]).encode()).hexdigest()
        repository = self.repositories.setdefault(name, Repository({}, {}))
        for option, value in options.items():
            setattr(repository, option, value)
        repository.revisions[revision] = digest
        repository.commits[digest] = files
        return digest

    def paths(self, method: str) -> list[str]:
        return [path for found, path, _ in self.requests if found == method]


class Server(ThreadingHTTPServer):
    """A server that does not comment on readers that leave."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    server = Server(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Refused(Exception):
    """An error answer: status, X-Error-Code, X-Error-Message."""


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.respond()

    def do_HEAD(self) -> None:
        self.respond()

    def respond(self) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, unquote(path), self.headers.get("Range", "")))
        self.hub.busy += 1
        self.hub.busiest = max(self.hub.busiest, self.hub.busy)
        time.sleep(self.hub.delay)
        try:
            if fault := self.hub.fault(path, "status", "slow", "reset"):
                if fault.kind == "reset":
                    self.close_connection = True
                    return
                time.sleep(fault.value if fault.kind == "slow" else 0)
                if fault.kind == "status":
                    return self.answer(int(fault.value), b"{}", fault.headers)
            if any(text in path for text in self.hub.broken):
                raise Refused(500, "", "Internal Error - We're working hard to fix this as soon as possible!")
            if path.startswith("/files/"):
                return self.plain(unquote(path[7:]))
            if match := re.fullmatch(r"/cdn/([0-9a-f]{64})", path):
                self.hub.cdn_tokens.append(self.headers.get("Authorization"))
                if urlsplit(self.path).query != f"signature={self.hub.signature}":
                    raise Refused(403, "", "expired")
                return self.content(self.blob(match[1]), {"ETag": f'"{match[1]}"'})
            self.hub.tokens.append(self.token)
            if match := re.fullmatch(r"/api/models/([^/]+(?:/[^/]+)??)(?:/revision/([^/]+))?", path):
                return self.info(unquote(match[1]), unquote(match[2] or "main"))
            if match := re.fullmatch(r"/([^/]+(?:/[^/]+)??)/resolve/([^/]+)/(.+)", path):
                return self.resolve(unquote(match[1]), unquote(match[2]), unquote(match[3]))
            raise Refused(404, "", "Sorry, we can't find the page you are looking for.")
        except Refused as refused:
            status, code, message = refused.args
            self.answer(
                status, json.dumps({"error": message}).encode(), {"X-Error-Code": code, "X-Error-Message": message}
            )
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.hub.busy -= 1

    def plain(self, name: str) -> None:
        found = self.hub.files.get(name)
        if found is None:
            raise Refused(404, "", "no such file")
        seconds = 1_700_000_000 + int(sha256(found)[:4], 16)
        dated = {"Last-Modified": formatdate(seconds, usegmt=True)}
        self.content(found, {"ETag": f'"{sha256(found)}"'} if self.hub.etags else dated)

    @property
    def token(self) -> str | None:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None

    def repository(self, name: str) -> Repository:
        if self.token and self.hub.known_tokens and self.token not in self.hub.known_tokens:
            raise Refused(401, "", "Invalid credentials in Authorization header")
        found = self.hub.repositories.get(name)
        if found is None or (found.token and self.token != found.token):
            raise Refused(404 if self.token else 401, "RepoNotFound", "Repository not found")
        return found

    def commit(self, repository: Repository, revision: str) -> str:
        commit = repository.revisions.get(revision, revision)
        if commit not in repository.commits:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def info(self, name: str, revision: str) -> None:
        if name in self.hub.moved:
            return self.redirect(f"/api/models/{self.hub.moved[name]}/revision/{revision}")
        repository = self.repository(name)
        commit = self.commit(repository, revision)
        siblings = []
        for file, content in sorted(repository.commits[commit].items()):
            entry: dict[str, Any] = {"rfilename": file}
            if "blobs=" in self.path:
                entry |= {"size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
                if file.endswith(repository.lfs):
                    entry["lfs"] = {"size": len(content), "sha256": sha256(content), "pointerSize": 130}
            siblings.append(entry)
        body = {"_id": "1", "id": name, "sha": commit, "private": bool(repository.token), "siblings": siblings}
        self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def resolve(self, name: str, revision: str, file: str) -> None:
        if name in self.hub.moved:
            return self.redirect(f"/{self.hub.moved[name]}/resolve/{revision}/{file}")
        repository = self.repository(name)
        if repository.gate and self.token != repository.gate:
            raise Refused(403 if self.token else 401, "GatedRepo", f"Access to model {name} is restricted.")
        commit = self.commit(repository, revision)
        content = repository.commits[commit].get(file)
        if content is None:
            raise Refused(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        if not file.endswith(repository.lfs):
            return self.content(content, headers)
        digest = sha256(content)
        # "localhost" is another host than "127.0.0.1": like the real hub's CDN, it must not see the token.
        location = f"http://localhost:{urlsplit(self.hub.url).port}/cdn/{digest}?signature={self.hub.signature}"
        extra = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content)), "Location": location}
        self.answer(302, b"", headers | extra)

    def blob(self, digest: str) -> bytes:
        for repository in self.hub.repositories.values():
            for files in repository.commits.values():
                for content in files.values():
                    if sha256(content) == digest:
                        return content
        raise Refused(404, "", "no such blob")

    def content(self, content: bytes, headers: dict[str, str]) -> None:
        path, size = urlsplit(self.path).path, len(content)
        if fault := self.hub.fault(path, "size"):
            size += int(fault.value)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        version = headers.get("ETag") or headers.get("Last-Modified")
        if not match or not self.hub.ranges or self.headers.get("If-Range", version) != version:
            return self.answer(200, content, headers)
        begin, end = int(match[1]), min(int(match[2] or len(content)), len(content) - 1)
        if begin > end:
            return self.answer(416, b"", {"Content-Range": f"bytes */{size}"})
        if fault := self.hub.fault(path, "range"):
            begin, end = begin + int(fault.value), end + int(fault.value)
        headers = headers | {"Content-Range": f"bytes {begin}-{end}/{size}"}
        self.answer(206, content[begin : end + 1], headers)

    def redirect(self, location: str) -> None:
        self.answer(307, b"", {"Location": location})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            held = status in (200, 206) and ("ETag" in headers or "Last-Modified" in headers)
            if held and (fault := self.hub.fault(urlsplit(self.path).path, "drop")):
                body = body[: int(fault.value)]
                self.close_connection = True
            if held:
                self.hub.sent += len(body)  # before the reader can go on
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Silent."""


@lru_cache(2048)
def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
