"""A hub on the loopback interface: the part of the API that the real huggingface_hub client needs to read models."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
class Hub:
    """What the server knows and what it was asked. `broken`: answer 500 to paths that contain one of these texts."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    known_tokens: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    delay: float = 0.0
    ranges: bool = True
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range
    tokens: list[str | None] = field(default_factory=list)
    cdn_tokens: list[str | None] = field(default_factory=list)
    sent: int = 0  # bytes of files
    url: str = ""

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


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": hub}))
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
        time.sleep(self.hub.delay)
        try:
            if any(text in path for text in self.hub.broken):
                raise Refused(500, "", "Internal Error - We're working hard to fix this as soon as possible!")
            if match := re.fullmatch(r"/cdn/([0-9a-f]{64})", path):
                self.hub.cdn_tokens.append(self.headers.get("Authorization"))
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
        location = f"http://localhost:{urlsplit(self.hub.url).port}/cdn/{digest}"
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
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not match or not self.hub.ranges:
            return self.answer(200, content, headers)
        begin, end = int(match[1]), min(int(match[2] or len(content)), len(content) - 1)
        if begin > end:
            raise Refused(416, "", "range")
        headers = headers | {"Content-Range": f"bytes {begin}-{end}/{len(content)}"}
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
            if status in (200, 206) and "ETag" in headers:
                self.hub.sent += len(body)
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Silent."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
