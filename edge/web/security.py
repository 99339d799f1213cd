"""Who gets in: the token off loopback, the Host and Origin on it, and headers for browsers."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_COOKIE_SECONDS = 30 * 24 * 3600
_LOOPBACK = ("localhost", "ip6-localhost", "::1")

# The page that asks for the token has its style inside, because style.css needs the token too.
_STYLE = (
    ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:24rem;margin:20vh auto 0;padding:1rem}"
    "h1{font-size:1.25rem}input,button{font:inherit;padding:.5rem .75rem;width:100%;"
    "box-sizing:border-box;margin-top:.5rem}"
)
_ASK = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>edge-fer: token</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<style>{_STYLE}</style></head><body><main><h1>This page needs its token</h1>"
    "<p>edge-fer wrote it to its standard error, or its log, when it started.</p>"
    '<form action="/" method="get"><label>Token <input name="token" type="password" required'
    ' autocomplete="current-password"></label><button>Open the page</button></form>'
    '<p><a href="/">Try again without</a></p></main></body></html>'
)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self';"
    f" style-src 'self' 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}';"
    " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets through who may come in, and gives every answer its headers.

    Args:
        app: What answers who gets in.
        token: What everybody has to know; None where nobody has to.
        loopback: Whether the page is for this machine only: then a browser that was led here under
            a foreign name (DNS rebinding) is sent away.
        port: What the page listens on; cookies do not tell ports apart, so theirs is in the name.
    """

    def __init__(self, app: ASGIApp, token: str | None, loopback: bool, port: int) -> None:
        self._app, self._loopback = app, loopback
        self._token = token.encode() if token is not None else None
        self._cookie = f"edge-fer-{port}"
        # The cookie proves that its owner knew the token without holding it.
        self._proof = hmac.digest(self._token or b"", b"edge-fer cookie", "sha256").hex().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refuse(scope)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
            return
        # Who is not let in keeps no connection either.
        refusal.headers["Connection"] = "close"
        await refusal(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._loopback and not _is_loopback(host):
            return PlainTextResponse("This page is served for this machine only.\n", 421)
        if _is_foreign(headers, host):
            return PlainTextResponse("Other pages may not use this one.\n", 403)
        if self._token is None or scope["path"] == "/healthz" or self._knows(headers):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if any(self._is_token(value.encode()) for name, value in query if name == "token"):
            return self._remember(scope["path"], [pair for pair in query if pair[0] != "token"])
        again = {"WWW-Authenticate": 'Bearer realm="edge-fer"'}
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(_ASK, 401, again)
        text = "A token is needed: Authorization: Bearer TOKEN, or ?token=TOKEN once.\n"
        return PlainTextResponse(text, 401, again)

    def _remember(self, path: str, rest: list[tuple[str, str]]) -> Response:
        """Go on without the token in the address, where histories and screens would show it."""
        # One slash: an address that begins with two names another host.
        place = "/" + quote(path.lstrip("/")) + (f"?{urlencode(rest)}" if rest else "")
        answer = RedirectResponse(place, 303)
        answer.set_cookie(
            self._cookie,
            self._proof.decode(),
            max_age=_COOKIE_SECONDS,
            httponly=True,
            samesite="strict",
        )
        return answer

    def _knows(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(token.strip().encode("latin-1")):
            return True
        return any(
            name == self._cookie and hmac.compare_digest(value.encode("latin-1"), self._proof)
            for name, value in _cookies(headers)
        )

    def _is_token(self, text: bytes) -> bool:
        return self._token is not None and hmac.compare_digest(text, self._token)


def _cookies(headers: Headers) -> Iterator[tuple[str, str]]:
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        yield name, value


def _is_loopback(host: str) -> bool:
    """Whether a Host header names this machine; the port may be that of a tunnel."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    parts = name.split(".")
    numbers = len(parts) == 4 and parts[0] == "127" and all(part.isdigit() for part in parts)
    return name in _LOOPBACK or numbers


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether another site's page asks, rather than ours or somebody who opens ours."""
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2] != host
    # Pictures are asked for without an Origin; newer browsers say where from all the same.
    foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    return foreign and headers.get("sec-fetch-mode") != "navigate"
