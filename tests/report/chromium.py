"""Opens a page in headless Chromium and asks it for what it shows, without a driver: its own command line is enough."""

import json
import re
import shutil
import subprocess
import zlib
from html import unescape
from pathlib import Path

import numpy as np

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--hide-scrollbars --window-size=1200,900 --enable-logging=stderr --v=0"
).split()
RESULT = "measured-by-the-test"
MM_PER_POINT = 25.4 / 72
NUMBER = re.compile(r"-?\d*\.?\d+")


def visit(page: Path, *flags: str) -> tuple[str, list[str]]:
    """(what Chromium prints, lines of the page's console)."""
    profile = page.parent / "profile"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, page.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def measure(page: Path, script: str, *, width: int = 1200) -> tuple[dict, list[str]]:
    """(what the function body `script` returns in a copy of the page that allows scripts, console lines).

    The window is `width` pixels wide.
    """
    text = page.read_text(encoding="utf-8")
    allowed = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    assert allowed != text, "the page has no policy to relax"
    told = f'<script>document.body.insertAdjacentHTML("beforeend", "<pre id={RESULT}></pre>");'
    told += f"document.getElementById('{RESULT}').textContent = JSON.stringify((() => {{{script}}})());</script></body>"
    copy = page.with_name("measured.html")
    copy.write_text(allowed.replace("</body>", told), encoding="utf-8")
    dom, console = visit(copy, f"--window-size={width},900", "--dump-dom")
    found = re.search(rf'<pre id="{RESULT}">(.*?)</pre>', dom, re.S)
    assert found and found[1], f"the script gave nothing; console: {console}"
    return json.loads(unescape(found[1])), console


def printed(pdf: bytes) -> tuple[list[tuple[float, float]], list[np.ndarray]]:
    """([width, height in mm of each page], [points in mm of each line or outline drawn, [point, 2]])."""
    boxes = [[float(v) for v in box.split()] for box in re.findall(rb"/MediaBox *\[([^]]*)\]", pdf)]
    lines: list[np.ndarray] = []
    for content in re.findall(rb">>\s*stream\r?\n(.*?)\r?\nendstream", pdf, re.S):
        if content[:1] != b"\x78":  # zlib's first byte; pictures and the like are stored otherwise
            continue
        words = zlib.decompressobj().decompress(content)
        if b" cm\n" in words:
            lines += _drawn(words.decode("latin-1"))
    return [((b[2] - b[0]) * MM_PER_POINT, (b[3] - b[1]) * MM_PER_POINT) for b in boxes], lines


def _drawn(content: str) -> list[np.ndarray]:
    """The straight paths of one page: of PDF's operators q, Q, cm (place), m and l (points) are all they need."""
    place, kept, numbers, lines = np.eye(3), [], [], []
    for word in content.split():
        if NUMBER.fullmatch(word):
            numbers.append(float(word))
            continue
        match word:
            case "q":
                kept.append(place)
            case "Q":
                place = kept.pop()
            case "cm":
                a, b, c, d, e, f = numbers[-6:]
                place = np.array([[a, b, 0], [c, d, 0], [e, f, 1]]) @ place
            case "m":
                lines.append([_at(numbers, place)])
            case "l":
                lines[-1].append(_at(numbers, place))
        numbers = []
    return [np.array(line) for line in lines]


def _at(numbers: list[float], place: np.ndarray) -> np.ndarray:
    return (np.array([*numbers[-2:], 1.0]) @ place)[:2] * MM_PER_POINT
