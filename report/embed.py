#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py OUT PAGE FILE...: what web/ holds as C++ constants: styles (*.css) and scripts, each joined in
the order given, with the hash by which the page allows its own script."""
import base64
import hashlib
import sys
from pathlib import Path


def literal(text: str) -> str:
    # A compiler may limit the length of one literal; neighbours are joined.
    return "\n".join(f'R"~~~({text[i:i + 12000]})~~~"' for i in range(0, len(text), 12000)) or '""'


def main() -> None:
    out, page, *files = map(Path, sys.argv[1:])
    licence = "// SPDX-License-Identifier: MIT\n"
    parts = {path: path.read_text(encoding="utf-8").removeprefix(licence) for path in files}
    style = "".join(text for path, text in parts.items() if path.suffix == ".css")
    script = "".join(text for path, text in parts.items() if path.suffix == ".js")
    script = '"use strict";\n(() => {\n' + script + "})();\n"
    for path, text in parts.items():
        if not text.isascii() or "</s" in text or "<!--" in text:
            sys.exit(
                f"{path}: must be ASCII, without an end tag of its element and without a comment of HTML"
            )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    out.write_text(
        (
            "// Made by report/embed.py.\n#pragma once\n#include <string_view>\nnamespace sysvm::page {\n"
            f"inline constexpr std::string_view kPage =\n{literal(page.read_text(encoding='utf-8'))};\n"
            f"inline constexpr std::string_view kStyle =\n{literal(style)};\n"
            f"inline constexpr std::string_view kScript =\n{literal(script)};\n"
            f"inline constexpr const char* kScriptHash = \"sha256-{digest}\";\n"
            "}  // namespace sysvm::page\n"
        ),
        encoding="utf-8",
    )


main()
