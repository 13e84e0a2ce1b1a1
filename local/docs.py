"""The API references as pages that need no network: Swagger UI from an installed package."""

import html
import importlib.util
import mimetypes
from collections.abc import Mapping
from pathlib import Path

from local.errors import PlatformError
from local.wsgi import Response

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
{head}
</head>
<body>
{body}
</body>
</html>
"""
_STYLE = "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}</style>"
_VIEWER = """<div id="reference"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({{url: "/docs/{surface}/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null,
  docExpansion: "list", displayRequestDuration: true, persistAuthorization: true, tryItOutEnabled: true}});
</script>"""
_ASSETS = {"swagger-ui-bundle.js", "swagger-ui.css"}


class Docs:
    """Pages for the OpenAPI documents of the surfaces."""

    def __init__(self, documents: Mapping[str, Path]) -> None:
        """Serve ``documents``, by surface.

        Raises:
            PlatformError: when the package with the viewer is not installed.
        """
        self._documents = documents
        package = importlib.util.find_spec("flask_swagger_ui")
        if package is None or package.origin is None:
            raise PlatformError(
                "the package flask-swagger-ui, which brings the viewer of the references, is not installed"
            )
        self._assets = Path(package.origin).parent / "dist"

    def serve(self, path: str) -> Response | None:
        """The page at a path below ``/docs``; None when there is none."""
        parts = path.strip("/").split("/")[1:]
        match parts:
            case []:
                return self._index()
            case ["assets", name] if name in _ASSETS:
                return _file(self._assets / name)
            case [surface] if surface in self._documents:
                style = '<link rel="stylesheet" href="/docs/assets/swagger-ui.css">'
                return page(surface, _VIEWER.format(surface=surface), style)
            case [surface, "openapi.json"] if surface in self._documents:
                return _file(self._documents[surface])
        return None

    def _index(self) -> Response:
        links = "".join(f'<li><a href="/docs/{name}">{name}</a></li>' for name in sorted(self._documents))
        return page("API references", f"<h1>API references</h1><ul>{links}</ul>")


def page(title: str, body: str, head: str = _STYLE) -> Response:
    """A page of HTML."""
    text = _PAGE.format(title=html.escape(title), head=head, body=body)
    return Response(200, {"Content-Type": "text/html; charset=utf-8"}, text.encode())


def _file(path: Path) -> Response:
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Response(200, {"Content-Type": content_type}, path.read_bytes())
