"""The report's pages in a browser."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from conftest import Platform
from test_browsing import chromium


@contextmanager
def browser(**options: object) -> Iterator[Page]:
    """A page of a browser that reaches nothing but files; what it complains of fails the test."""
    complaints: list[str] = []
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"]) as found,
    ):
        page = found.new_context(**options).new_page()  # type: ignore[arg-type]
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:"))
                else complaints.append(request.url)
            ),
        )
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        yield page
    assert complaints == [], complaints


def url(platform: Platform, page: str) -> str:
    return f"file://{platform.data}/report/{page}"
