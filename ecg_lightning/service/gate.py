"""What every request passes before a byte of its body is read: the token, a free slot, the size; and a line of the log."""

import asyncio
import base64
import binascii
import hmac
import json
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecg_lightning.service.limits import MEGABYTE, Limits

POLICY = b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""Sent with every answer: nothing is kept in a cache, and a page loads nothing from anywhere."""
PATHS = ("/", "/predict", "/health", "/openapi.json")
"""What the log names; any other path may hold a name."""


class Gate:
    """Passes requests on to the application.

    Args:
        app: the application.
        limits: of the service.
        token: which every request must have; None where none is needed.
        log: gets a line for each request.
    """

    def __init__(self, app: ASGIApp, limits: Limits, token: str | None, log: Callable[[str], None]) -> None:
        self.app, self.limits, self.log = app, limits, log
        self.token = None if token is None else token.encode()
        self.slots = asyncio.Semaphore(limits.slots)
        self.waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, see ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.monotonic(), 0

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        try:
            await self._answer(scope, receive, send_guarded)
        finally:
            path = scope["path"] if scope["path"] in PATHS else "another path"
            method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "another method"
            self.log(f"{method} {path}: {status or 'no answer'}, {time.monotonic() - start:.2f} s")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if self.token is not None and not _is_authorised(headers.get(b"authorization", b""), self.token):
            await _refuse(
                send, 401, "The token is missing or wrong. Send it as `Authorization: Bearer TOKEN`, or as the password of "
                "the browser's question.", (b"www-authenticate", b'Basic realm="ecg_lightning", charset="UTF-8"'),
            )  # fmt: skip
            return
        if scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.limits.most_bytes:
            await _refuse(send, 413, self._too_large())
            return
        if self.waiting >= self.limits.waiting:
            await _refuse(send, 503, "Too many recordings are waiting. Try again in a minute.", (b"retry-after", b"60"))
            return
        self.waiting += 1
        try:
            await asyncio.wait_for(self.slots.acquire(), self.limits.waiting_seconds)
        except TimeoutError:
            await _refuse(send, 503, "The recording waited too long. Try again later.", (b"retry-after", b"60"))
            return
        finally:
            self.waiting -= 1
        try:
            await self.app(scope, self._bounded(receive), send)
        finally:
            self.slots.release()

    def _bounded(self, receive: Receive) -> Receive:
        """Returns a `receive` that refuses a body that is too large or too slow."""
        count, deadline, complete = 0, time.monotonic() + self.limits.upload_seconds, False

        async def bounded() -> Message:
            nonlocal count, complete
            if complete:  # what follows is the end of the connection, which may take as long as it likes
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise HTTPException(408, "The files did not arrive in time. Send them again.") from None
            count += len(message.get("body", b""))
            if count > self.limits.most_bytes:
                raise HTTPException(413, self._too_large())
            complete = not message.get("more_body", False)
            return message

        return bounded

    def _too_large(self) -> str:
        return f"The upload is too large: at most {self.limits.most_bytes / MEGABYTE:g} MB are read."


def _is_authorised(header: bytes, token: bytes) -> bool:
    """Returns whether an `Authorization` header has the token; the time that it takes does not depend on the token."""
    scheme, _, value = header.partition(b" ")
    if scheme.lower() == b"basic":
        try:
            value = base64.b64decode(value, validate=True).partition(b":")[2]
        except binascii.Error:
            value = b""
    elif scheme.lower() != b"bearer":
        value = b""
    return hmac.compare_digest(value.strip(), token)


async def _refuse(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    """Answers with one sentence."""
    body = json.dumps({"detail": text}).encode()
    kind = (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())
    # the body of the request was not read: the connection cannot be used again
    await send(
        {"type": "http.response.start", "status": status, "headers": [*kind, (b"connection", b"close"), *headers]}
    )
    await send({"type": "http.response.body", "body": body})
