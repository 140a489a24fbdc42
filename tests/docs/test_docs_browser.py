"""The site in a browser: no page is wider than the window, on a telephone or a desk, dark or light."""

from __future__ import annotations

import functools
import html
import http.server
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import require

WIDTHS = (400, 1280)
# Loads each page in a frame of each width, and writes down the elements that stick out of it.
CHECK = """<!doctype html><pre id="found">unfinished</pre><script>
const pages = PAGES, found = [];
async function look(page, width, theme) {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px; border: 0`;
  const loaded = new Promise((done) => { frame.onload = done; });
  frame.src = page;
  document.body.append(frame);
  await loaded;
  const inner = frame.contentDocument;
  inner.body.dataset.theme = theme;
  const root = inner.documentElement;
  const styled = frame.contentWindow.getComputedStyle(inner.body);
  if (root.scrollWidth > width) found.push(`${page} is ${root.scrollWidth} wide in a window of ${width}`);
  if (!inner.querySelector("article h1")) found.push(`${page} has no heading`);
  if (styled.color === styled.backgroundColor) found.push(`${page} cannot be read, ${theme}`);
  const wide = [...inner.querySelectorAll("article *")].find((element) => {
    if (element.getBoundingClientRect().right <= width + 1 || !element.checkVisibility()) return false;
    for (let around = element; around.tagName !== "ARTICLE"; around = around.parentElement)
      if (["auto", "scroll"].includes(frame.contentWindow.getComputedStyle(around).overflowX)) return false;
    return true;
  });
  const start = wide && `<${wide.tagName}> ${wide.textContent.slice(0, 60)}`;
  if (wide) found.push(`${page}: in a window of ${width}, this is cut off: ${start}`);
  for (const shown of inner.querySelectorAll(".picture, .highlight-console pre"))
    if (width > 1000 && shown.scrollWidth > shown.clientWidth + 1)
      found.push(`${page}: on a desk, this has to be scrolled: ${shown.textContent.slice(0, 60)}`);
  for (const picture of inner.querySelectorAll("svg.picture")) {
    const box = picture.getBoundingClientRect();
    if (box.width < 300 || box.height < 100) found.push(`${page} has a picture of ${box.width} x ${box.height}`);
    for (const text of picture.querySelectorAll("text")) {
      const words = text.getBoundingClientRect();
      if (words.right > box.right + 1 || words.left < box.left - 1)
        found.push(`${page}: "${text.textContent}" sticks out of its picture`);
    }
  }
  frame.remove();
}
(async () => {
  for (const page of pages) for (const width of WIDTHS) for (const theme of ["light", "dark"])
    await look(page, width, theme);
  document.getElementById("found").textContent = JSON.stringify(found);
})();
</script>"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def faults_of(site: Path, address: str, pages: list[str], profile: Path) -> list[str]:
    """What a browser finds wrong with pages."""
    browser = require.command("chromium", "chromium")
    check = site / "check.html"
    check.write_text(CHECK.replace("PAGES", json.dumps(pages)).replace("WIDTHS", json.dumps(WIDTHS)), "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--window-size=1400,1000"]
    try:
        done = subprocess.run(
            [browser, *options, "--virtual-time-budget=600000", "--dump-dom", f"{address}/check.html"],
            capture_output=True,
            text=True,
            timeout=110,
        )
    finally:
        check.unlink()
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stderr
    found = json.loads(html.unescape(match[1]))
    assert isinstance(found, list)
    return found


@pytest.mark.long
def test_no_page_is_broken(site: Path, served: str, tmp_path: Path) -> None:
    pages = [str(page.relative_to(site)) for page in sorted(site.rglob("*.html")) if "_static" not in page.parts]
    pages = [page for page in pages if page not in ("genindex.html", "py-modindex.html", "search.html")]
    assert len(pages) > 40
    assert faults_of(site, served, pages, tmp_path) == []


@pytest.mark.long
def test_a_broken_page_would_be_seen(site: Path, served: str, tmp_path: Path) -> None:
    page = site / "broken.html"
    page.write_text('<article><h1>Wide</h1><div style="width: 900px">.</div></article>', "utf-8")
    try:
        found = faults_of(site, served, ["broken.html"], tmp_path)
    finally:
        page.unlink()
    assert found
    assert all(" in a window of 400" in fault for fault in found)
