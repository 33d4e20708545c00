"""The page's files, with proper types, from one folder and nowhere else."""

from pathlib import Path

from aiohttp import web

_FOLDER = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_TEXT = frozenset({".html", ".js", ".mjs", ".css", ".json", ".svg"})


async def entrance(request: web.Request) -> web.StreamResponse:
    """Send the browser to the page, whose addresses are relative to /page/."""
    query = f"?{request.query_string}" if request.query_string else ""
    raise web.HTTPFound(f"/page/{query}")


async def serve(request: web.Request) -> web.StreamResponse:
    """Return one file of the page."""
    file = (_FOLDER / (request.match_info["path"] or "index.html")).resolve()
    kind = _TYPES.get(file.suffix)
    if kind is None or not file.is_relative_to(_FOLDER.resolve()) or not file.is_file():
        raise web.HTTPNotFound
    return web.Response(
        body=file.read_bytes(), content_type=kind, charset="utf-8" if file.suffix in _TEXT else None
    )
