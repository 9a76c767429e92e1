"""The Swagger UI, from files that are installed with us: many Kubernetes clusters reach no CDN."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

PAGE = "/docs"
ASSETS = "/docs/assets"

#: Swagger UI's own icon is on its site.
_NO_ICON = "data:,"
#: People type passwords here. Users' pages on the same host get it neither into a frame nor into a window of theirs.
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def add_docs(app: FastAPI, prefix: str) -> None:
    """Serve the page below `prefix`, the public path of the gateway."""
    page = get_swagger_ui_html(
        openapi_url=f"{prefix}{app.openapi_url}",
        title=app.title,
        swagger_js_url=f"{prefix}{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{prefix}{ASSETS}/swagger-ui.css",
        swagger_favicon_url=_NO_ICON,
    )
    page.headers.update(_HEADERS)

    @app.get(PAGE, include_in_schema=False)
    async def swagger_ui() -> HTMLResponse:
        return page

    assets = files("fastapi_standalone_docs") / "static" / "swagger"
    app.mount(ASSETS, StaticFiles(directory=Path(str(assets))), name="swagger-ui")
