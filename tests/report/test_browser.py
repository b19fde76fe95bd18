"""The page in a browser: light and dark, on a screen and on a phone. Nothing is blank, cut off, or drawn over something else."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
MEASURE = """
<script>
addEventListener("load", () => {
  const found = {errors: [], width: document.documentElement.scrollWidth, view: innerWidth, empty: [], cut: [], over: []};
  const box = (item) => item.getBoundingClientRect();
  const name = (item) => `${item.tagName} ${item.className.baseVal ?? item.className} ${(item.textContent ?? "").trim().slice(0, 30)}`;
  const shown = (item) => item.checkVisibility() && !item.closest(".visually-hidden, .skip");
  const blocks = [...document.querySelectorAll("main > *, .charts > *, .facts > *")].filter(shown);
  for (const item of document.querySelectorAll("main > *, figure, svg, img, table, p, h1, h2, dd")) {
    if (shown(item) && (box(item).width < 8 || box(item).height < 4)) found.empty.push(name(item));
  }
  for (const item of document.querySelectorAll("img")) if (!item.naturalWidth) found.empty.push(name(item));
  for (const item of document.querySelectorAll("h1, h2, h3, p, li, dt, dd, figcaption, summary, .scroll, .paper, .chart")) {
    if (shown(item) && !item.closest(".scroll > *") && box(item).right > innerWidth + 1) found.cut.push(name(item));
  }
  const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1.5;
  const pairs = (items) => items.forEach((one, k) => items.slice(k + 1).forEach((two) => {
    if (one.parentElement === two.parentElement && overlap(box(one), box(two))) found.over.push([name(one), name(two)]);
  }));
  pairs(blocks);
  for (const chart of document.querySelectorAll("svg.chart")) {
    if (!shown(chart)) continue;
    pairs([...chart.querySelectorAll("text")]);
    for (const text of chart.querySelectorAll("text")) {
      if (box(text).left < box(chart).left - 1 || box(text).right > box(chart).right + 1) found.cut.push(name(text));
    }
  }
  document.body.dataset.found = JSON.stringify(found);
});
</script>
"""


def chromium(page: Path, *words: str, width: int, height: int, dark: bool = False) -> str:
    """Opens a page without a screen; returns what the browser writes."""
    assert BROWSER is not None
    mode = ["--blink-settings=preferredColorScheme=0"] if dark else []
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
        f"--user-data-dir={page.parent / 'profile'}", f"--window-size={width},{height}", *mode, *words, page.as_uri(),
    ]  # fmt: skip
    environment = os.environ | {"HOME": str(page.parent)}
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env=environment)
    return process.stdout


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium; Debian's package is called chromium")
def test_the_page_as_a_browser_draws_it(tested_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text((tested_folder / "report" / "index.html").read_text().replace("</body>", f"{MEASURE}</body>"))
    for width, dark in ((1280, False), (500, True)):  # 500: the narrowest window that Chromium opens
        picture = tmp_path / f"{width}.png"
        dom = chromium(page, "--dump-dom", width=width, height=2400, dark=dark)
        measured = json.loads(html.unescape(re.search(r'data-found="([^"]*)"', dom)[1]))  # type: ignore[index]
        assert measured["width"] <= measured["view"] == width
        assert (measured["empty"], measured["cut"], measured["over"]) == ([], [], [])
        chromium(page, f"--screenshot={picture}", width=width, height=2400, dark=dark)
        pixels = np.asarray(Image.open(picture).convert("L"), np.int16)
        assert pixels.shape == (2400, width)
        ground = int(np.median(pixels))
        assert ground < 40 if dark else ground > 235
        drawn = (np.abs(pixels - ground) > 40).any(axis=1)
        gaps = np.diff(np.flatnonzero(np.concatenate([[True], drawn, [True]])))
        assert drawn.mean() > 0.4 and gaps.max() < 200  # no blank part is higher than this
        assert (np.abs(pixels - ground) > 80).mean() > 0.01
