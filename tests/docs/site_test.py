# SPDX-License-Identifier: MIT
"""The documentation as a site: built without a complaint, links lead somewhere, and nothing is loaded from
elsewhere.
Skipped (77) where mkdocs is not installed (`make docs` installs it)."""

import html.parser
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


class Links(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.to: list[str] = []  # what a reader may follow
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "href" and tag == "a":
                self.to.append(value or "")
            elif name in ("src", "srcset") or (name == "href" and tag == "link"):
                self.loaded.append(value or "")


def main() -> int:
    if not shutil.which("mkdocs"):
        print("skipped: no mkdocs here")
        return 77
    faults = []
    with tempfile.TemporaryDirectory(prefix="sysvm-site.") as name:
        site = Path(name) / "site"
        subprocess.run(
            ["mkdocs", "build", "-q", "--strict", "-f", SOURCE / "mkdocs.yml", "-d", site], check=True
        )
        for page in site.rglob("*.html"):
            links = Links(page.read_text(encoding="utf-8"))
            if page.name != "404.html":  # served from wherever a page is missing
                for link in [*links.to, *links.loaded]:
                    there = link.split("#")[0].split("?")[0]
                    if there and "://" not in there and not (page.parent / there).exists():
                        faults.append(f"{page.relative_to(site)}: {link} leads nowhere")
            faults += [f"{page.name} loads {link}" for link in links.loaded if "//" in link]
        for style in site.rglob("*.css"):
            text = style.read_text(encoding="utf-8", errors="replace")
            if "@import" in text or "url(http" in text or "url(//" in text or 'url("http' in text:
                faults.append(f"{style.relative_to(site)} loads something from elsewhere")
        for name in ("tutorial.html", "howto/notebook.html", "isa.html", "semantics.html"):
            if not (site / name).exists():
                faults.append(f"{name} is missing")
    print("\n".join(faults))
    return bool(faults)


sys.exit(main())
