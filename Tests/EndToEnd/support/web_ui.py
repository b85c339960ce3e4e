"""Temporal's Web UI in a headless Chromium: a workflow's page and the payloads it shows."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from support.processes import eventually


@contextlib.contextmanager
def headless_chromium(folder: Path) -> Iterator[webdriver.Chrome]:
    """A browser with its profile in `folder` and its downloads in `folder`/downloads."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium and driver, "no browser: apt-get install chromium chromium-driver"
    downloads = folder / "downloads"
    downloads.mkdir()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.add_argument("--headless=new")
    options.add_argument("--no-sandbox")  # Chromium's sandbox doesn't work as root.
    options.add_argument("--disable-dev-shm-usage")
    options.add_argument("--window-size=1400,1200")
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(downloads), "download.prompt_for_download": False}
    )
    # With the driver's path, Selenium doesn't try to download one.
    service = webdriver.ChromeService(driver, env={**os.environ, "HOME": str(folder)})
    browser = webdriver.Chrome(options, service)
    try:
        yield browser
    finally:
        browser.quit()


class WorkflowPage:
    """The page of one workflow. Its "Input" box is an editor that renders only the visible lines."""

    def __init__(self, browser: webdriver.Chrome, ui_url: str, namespace: str, workflow_id: str):
        self._browser = browser
        browser.get(f"{ui_url}/namespaces/{namespace}/workflows/{workflow_id}")

    def wait_for_start_of_input(self, text: str) -> None:
        eventually(f"the input shows {text!r}", lambda: text in self._rendered_input(at_end=False))

    def wait_for_end_of_input(self, text: str) -> None:
        eventually(f"the input's end shows {text!r}", lambda: text in self._rendered_input(at_end=True))

    def wait_for_download_button(self, label: str) -> WebElement:
        """Waits for the button, whose label is the payload's size."""
        find = (By.XPATH, f"//button[normalize-space()='{label}']")
        return eventually(
            f"a button {label!r} is displayed",
            lambda: next((button for button in self._browser.find_elements(*find) if button.is_displayed()), None),
        )

    def _rendered_input(self, at_end: bool) -> str:
        # A single script, because the page replaces the editor when the decoded payload arrives. After scrolling, the
        # editor renders a moment later: the next call sees that.
        return self._browser.execute_script(
            """
            const box = document.querySelector(".cm-content[aria-label='Input']");
            if (!box) return '';
            const scroller = box.closest('.cm-scroller');
            scroller.scrollTop = arguments[0] ? scroller.scrollHeight : 0;
            return box.innerText;
            """,
            at_end,
        )
