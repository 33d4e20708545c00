"""Who may talk to the workspace: this machine only, and no other site's page."""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self' ws://{host}; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def is_local(authority: str, port: int) -> bool:
    """Tell whether a Host header, or the authority of an Origin, names this server by a loopback name."""
    try:
        parts = urlsplit(f"//{authority}")
        wanted = parts.port or 80
    except ValueError:
        return False
    return parts.hostname in _NAMES and wanted == port and parts.username is None


def _port(request: web.Request) -> int:
    address = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return int(address[1]) if address else -1


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a foreign Host (a name rebound to loopback) and a foreign Origin (another site's page)."""
    port = _port(request)
    if not is_local(request.headers.get("Host", ""), port):
        return web.Response(status=403, text="This workspace answers to its loopback name only.\n")
    origin = request.headers.get("Origin")
    if origin is not None:
        scheme, _, authority = origin.partition("://")
        if scheme != "http" or not is_local(authority, port):
            return web.Response(status=403, text="Another site's page has no business here.\n")
    elif request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"} and not _is_page(
        request
    ):
        return web.Response(status=403, text="Another site's page has no business here.\n")
    return await handler(request)


def _is_page(request: web.Request) -> bool:
    return request.path == "/" or request.path.startswith(("/page/", "/archives/"))


async def seal(request: web.Request, response: web.StreamResponse) -> None:
    """Add what keeps a browser strict: nothing foreign runs, nothing is kept, nothing is guessed."""
    response.headers["Content-Security-Policy"] = _POLICY.format(host=request.host)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
