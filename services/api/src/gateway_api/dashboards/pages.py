"""The few pages that people see instead of a dashboard."""

from html import escape

from fastapi import Response

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 36em; margin: 4em auto; padding: 0 1em }}</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page(status: int, title: str, text: str) -> Response:
    """A page with a sentence on it."""
    html = _PAGE.format(title=escape(title), text=escape(text))
    return Response(html, status, _HEADERS, media_type="text/html")
