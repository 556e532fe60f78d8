# SPDX-License-Identifier: MIT
"""What mkdocs does beside its own: files outside of docs/ that a page links to go into the site, and the
beginning of
isa.md, a part of it, is no page."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = re.compile(r"\]\(\.\./((?:traces|python|bench|scripts)/[^)#]+)\)")


def on_files(files, config):
    for file in [one for one in files if one.src_path == "isa.head.md" or one.src_path.endswith(".py")]:
        files.remove(file)
    linked = {
        name for page in Path(config["docs_dir"]).glob("*.md") for name in OUTSIDE.findall(page.read_text())
    }
    for name in sorted(linked):
        if (ROOT / name).is_file() and not name.endswith(".md"):
            files.append(File(name, str(ROOT), config["site_dir"], use_directory_urls=False))
    return files


def on_page_markdown(markdown, page, config, files):
    # A page of Markdown that is no page of the site is named, not linked.
    markdown = re.sub(
        r"\[([^]]+)\]\(\.\./((?:traces|python|bench|scripts)/[^)#]+\.md)\)", r"\1 (`\2`)", markdown
    )
    return OUTSIDE.sub(r"](\1)", markdown)
