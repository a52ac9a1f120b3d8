"""Takes the pictures in docs/screenshots: runs the demo, and looks at its pages in Chromium as a user, in both
themes.

python tools/screenshots.py [TRIALS]
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, FloatRect, ViewportSize, sync_playwright

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
STUDY = "/studies/digits-mlp"
TABS = ("history", "curves", "parameters", "trials", "timeline", "distribution", "search")
PICTURES = {  # name: path
    **{f"study-{tab}": f"{STUDY}?tab={tab}" for tab in TABS},
    "trial": f"{STUDY}/trials/{{best}}",
    "new-study": "/studies/new?trainer=cnn",
    "studies": "/",
    "compare": "/compare?study=digits-mlp",
    "workers": "/workers",
    "datasets": "/datasets",
}
OPENED = {"datasets": "details[data-rows=wine] summary"}  # what is clicked first
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SETTLED = 2500  # milliseconds until charts are drawn and still
COMPUTED = """() => !document.body.innerText.includes("Being computed…")"""  # the importance, of parameters
SIZE: ViewportSize = {"width": 1120, "height": 940}
SHORTER = {"study-parameters": 760}  # its many lines make a large file


def main() -> None:
    """Run the demo to its end, take the pictures, end it."""
    trials = sys.argv[1] if len(sys.argv) > 1 else "40"
    code = "from trialbook.cli import app; app()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "demo", "--trials", trials], stdout=subprocess.PIPE, text=True
    )
    try:
        link = _until_served(process)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            _take(browser, link)
            browser.close()
    finally:
        process.terminate()
        process.wait(60)


def _until_served(process: subprocess.Popen[str]) -> str:
    """The one-time link that the demo says."""
    link = ""
    for line in process.stdout or ():
        if "/login#" in line:
            link = line.strip()
        elif "Serving on" in line:
            break
    return link


def _take(browser: Browser, link: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    first = browser.new_context()
    page = first.new_page()
    page.goto(link)
    page.wait_for_url(lambda url: "/login" not in url)
    state, url = first.storage_state(), link.partition("/login")[0]
    page.goto(url + STUDY)
    best = page.locator("#best").get_attribute("data-number")
    for theme in THEMES:
        context = browser.new_context(viewport=SIZE, storage_state=state, color_scheme=theme)
        page = context.new_page()
        for name, path in PICTURES.items():
            page.goto(url + path.format(best=best))
            page.wait_for_function(COMPUTED, timeout=120_000)
            if name in OPENED:
                page.click(OPENED[name])
                page.locator(".examples table").wait_for()
            page.wait_for_timeout(SETTLED)
            clip: FloatRect = {"x": 0, "y": 0, "width": SIZE["width"], "height": SHORTER.get(name, SIZE["height"])}
            page.screenshot(path=FOLDER / f"{name}-{theme}.png", clip=clip)
        context.close()


if __name__ == "__main__":
    main()
