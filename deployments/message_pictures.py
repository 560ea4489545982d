"""The pictures of docs/message-content.md: `python -m deployments.message_pictures [KIND …]`, with a system's Chromium.

One sheet for each kind: its e-mail in every language, by day and in dark mode, and its text messages, if it has any.
Nothing is needed but the templates: no database, no Prefect.
"""

import base64
import struct
import sys
import zlib
from collections.abc import Sequence
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from deployments.prefect_ui import chromium
from deployments.programme import ROOT
from loyalty.commands.failures import guarded
from loyalty.errors import Unavailable
from loyalty.messages.facts import KINDS
from loyalty.messages.preview import STAFF, Preview, preview, staff_preview
from loyalty.messages.voice import voice

FOLDER = ROOT / "docs" / "images" / "messages"
LANGUAGES = ("en", "es", "ar")
_UTC = ZoneInfo("UTC")
LARGEST_BYTES = 150_000
WIDTH, SHRUNK = 420, 0.75  # of an e-mail, as on a telephone; how much smaller it stands on the sheet
_COLOURS = 256  # of a PNG with a palette
_PIXELS = """async (address) => {
    const image = new Image(); image.src = address; await image.decode();
    const canvas = document.createElement("canvas"); canvas.width = image.width; canvas.height = image.height;
    const brush = canvas.getContext("2d"); brush.drawImage(image, 0, 0);
    const bytes = brush.getImageData(0, 0, image.width, image.height).data; let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return [image.width, image.height, btoa(text)];
}"""


def main(kinds: Sequence[str] = ()) -> int:
    """Make the sheets, of these kinds or all; the exit code."""
    binary = chromium()
    if binary is None:
        raise Unavailable("there is no Chromium here")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary)
        try:
            for kind in kinds or (*KINDS, *STAFF):
                print(_sheet(browser, kind, FOLDER / f"{kind}.png"))
        finally:
            browser.close()
    return 0


def _sheet(browser: Browser, kind: str, file: Path) -> str:
    """Make the picture of a kind; a line about it."""
    shown = [staff_preview(kind, tag) if kind in STAFF else preview(kind, tag) for tag in LANGUAGES]
    texts = [] if kind in STAFF else [preview(kind, tag, "sms") for tag in LANGUAGES]
    rows = [[_picture(browser, each, scheme) for each in shown] for scheme in ("light", "dark")]
    page = browser.new_page(viewport={"width": round(WIDTH * SHRUNK) * len(rows[0]), "height": 100})
    page.set_content(_page(rows, texts))
    whole = page.screenshot(full_page=True)
    width, height, pixels = page.evaluate(_PIXELS, f"data:image/png;base64,{base64.b64encode(whole).decode()}")
    page.close()
    content = _png(np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)[:, :, :3])
    file.write_bytes(content)
    return f"{file.name}: {len(content):,} bytes{', TOO LARGE' if len(content) > LARGEST_BYTES else ''}"


def _picture(browser: Browser, shown: Preview, scheme: str) -> str:
    """An e-mail as a telephone shows it, as an address that an img takes."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": 100},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=SHRUNK,
        offline=True,
    )
    page = context.new_page()
    page.set_content(shown.html)
    taken = page.screenshot(full_page=True)
    context.close()
    return f"data:image/png;base64,{base64.b64encode(taken).decode()}"


def _page(rows: Sequence[Sequence[str]], texts: Sequence[Preview]) -> str:
    """The sheet: a row by day, a row by night, a row of text messages."""
    column = round(WIDTH * SHRUNK)
    cells = "".join(
        "<tr>" + "".join(f'<td><img src="{address}" width="{column}" alt=""></td>' for address in row) + "</tr>"
        for row in rows
    )
    bubbles = "".join(
        f'<td dir="{voice(each.language, (each.language,), "", _UTC).direction}"><p>{escape(each.text)}</p></td>'
        for each in texts
    )
    return (
        "<!doctype html><style>body{margin:0}table{border-collapse:collapse}td{padding:0;vertical-align:top;"
        f"width:{column}px;background:#f3f1ec}}tr:nth-child(2) td{{background:#101416}}"
        "img{display:block;clip-path:inset(0 0 1px 0)}"
        "p{margin:14px;padding:10px 14px;border-radius:16px;background:#e5e5ea;color:#000;overflow-wrap:anywhere;"
        "font:13px/18px 'Segoe UI',Roboto,Arial,sans-serif}.texts td{background:#fff !important}</style>"
        f'<table>{cells}<tr class="texts">{bubbles}</tr></table>'
    )


def _png(pixels: "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]") -> bytes:
    """A picture with a palette of its most frequent colours: a third of the size, and no difference to be seen."""
    height, width, _ = pixels.shape
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, places, counts = np.unique(packed.ravel(), return_inverse=True, return_counts=True)
    # the most frequent colours, then of those that look alike one each: a small star keeps its green beside much grey
    _, groups = np.unique(colours >> 19 << 10 | (colours >> 11 & 31) << 5 | colours >> 3 & 31, return_inverse=True)
    by_count = np.argsort(-counts, kind="stable")
    firsts = by_count[np.sort(np.unique(groups[by_count], return_index=True)[1])]
    kept = np.array([*dict.fromkeys([*by_count[: _COLOURS * 2 // 3], *firsts])][:_COLOURS])
    parts = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.int32)
    nearest = np.array([((parts[kept] - colour) ** 2).sum(axis=1).argmin() for colour in parts], np.uint8)
    lines = np.zeros((height, width + 1), np.uint8)  # the first byte of a line says that it is not filtered
    lines[:, 1:] = nearest[places].reshape(height, width)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", head),
        (b"PLTE", parts[kept].astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:])))
