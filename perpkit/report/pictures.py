"""Pictures of a report: its first screen and every panel, as a browser shows them."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from pathlib import Path

from perpkit.errors import RequestError
from perpkit.report.chromium import VARIABLE, Browser, find
from perpkit.report.page import THEMES, put

_WIDTH, _HEIGHT = 1280, 900  # px of the first screen
_DENSE = 2.0  # px of the picture for one of these
_DRAWN = """new Promise((done) => {
  const look = () => (document.documentElement.dataset.drawn ? done() : setTimeout(look, 20));
  look();
})"""
# One panel after the other is alone on the page: to take what lies outside it, Chromium would make
# the window as high as the page, and every chart would be drawn anew for each picture.
_ALONE = 1040  # px: the panels are as wide as they were beside the list of them
_KEYS = "[...document.querySelectorAll('.panel')].map((panel) => panel.id)"
_SHOW = """((key) => {
  document.documentElement.classList.add("alone");
  for (const panel of document.querySelectorAll(".panel")) panel.hidden = panel.id !== key;
  return document.querySelector("main").offsetHeight;
})(%s)"""


def browser_path(theme: str) -> str:
    """What pictures are made with, asked for before any work is done.

    Raises
    ------
    RequestError
        If there is no browser, or no such theme.
    """
    if theme not in THEMES:
        raise RequestError(f"--theme was {theme}: one of {', '.join(THEMES)}")
    if os.name == "nt":
        raise RequestError("--png does not work on Windows; open the report and print it")
    found = find()
    if found is None:
        raise RequestError(
            "--png needs Chromium, Chrome or Edge, and none was found: install one "
            f"(Debian: apt-get install chromium), or name its program in {VARIABLE}"
        )
    return found


def write_pictures(page: str, folder: Path, theme: str = "light") -> list[Path]:
    """Write ``first.png`` and one PNG a panel, numbered in their order, 2,560 px to the screen.

    Parameters
    ----------
    page : text of the report
    folder : it is made where there is none; files of these names are replaced
    theme : ``light`` or ``dark``

    Returns
    -------
    the files

    Raises
    ------
    RequestError
        If there is no browser, it gives no answer, or the folder cannot be written.
    """
    path = browser_path(theme)
    with tempfile.TemporaryDirectory(prefix="perpkit-report-") as home, Browser(path) as browser:
        file = put(page, Path(home) / "report.html")
        browser.size(_WIDTH, _HEIGHT, _DENSE)
        browser.open(file, f"all&theme={theme}")
        browser.run(_DRAWN)
        made = {"first.png": browser.picture()}
        for n, key in enumerate(browser.run(_KEYS), start=1):
            browser.size(_ALONE, browser.run(_SHOW % json.dumps(key)), _DENSE)
            made[f"{n:02}-{key}.png"] = browser.picture()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, told in made.items():
            (folder / name).write_bytes(base64.b64decode(told))
    except OSError as e:
        raise RequestError(f"{folder}: cannot be written ({e.strerror or e})") from e
    return [folder / name for name in made]
