"""A real browser, without a screen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PHONE, DESKTOP = 390, 1280


@dataclass
class Opened:
    """A page that is open, and all that it said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def picture(self, selector: str) -> bytes:
        """What a canvas shows, as the browser encodes it."""
        return str(self.page.eval_on_selector(selector, "canvas => canvas.toDataURL()")).encode()

    def lines(self, section: str) -> list[str]:
        """The lines that the first chart of a section draws."""
        return [
            str(stroke.get_attribute("data-line"))
            for stroke in self.page.locator(f"#{section} .plot-place").first.locator(".stroke").all()
        ]

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


class Browser:
    """Opens pages from files."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    @contextmanager
    def open(self, path: Path, width: int = DESKTOP, **settings: Any) -> Iterator[Opened]:
        """The page of ``path`` in a window of that width, drawn."""
        context = self._browser.new_context(viewport={"width": width, "height": 900}, **settings)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.said.append(f"{message.type}: {message.text}"))
        opened.page.on("pageerror", lambda error: opened.said.append(f"error: {error}"))
        opened.page.on("request", lambda request: opened.asked.append(request.url))
        try:
            opened.page.goto(path.resolve().as_uri())
            if settings.get("java_script_enabled", True):
                opened.page.wait_for_selector("html[data-ready]", state="attached")
            yield opened
        finally:
            context.close()


@contextmanager
def running_browser() -> Iterator[Browser]:
    """The browser that is installed; the test is skipped where there is none."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"no browser is installed ({', '.join(NAMES)}): the page was not opened in one")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no page was opened")
    # As root, which is what containers run as, Chromium starts without its sandbox only.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=arguments)
        try:
            yield Browser(browser)
        finally:
            browser.close()


def colours(path: Path) -> int:
    """How many colours a picture has: a page that failed to draw has few."""
    with Image.open(path) as picture:
        return len(picture.convert("RGB").getcolors(maxcolors=1 << 24) or [])
