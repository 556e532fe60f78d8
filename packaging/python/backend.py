# SPDX-License-Identifier: MIT
"""What pip asks to build the Python package (PEP 517): CMake builds it (scripts/build), here its files become
a wheel. Needs nothing but
Python and the packages of scripts/packages.txt. The build folder is build/, or $SYSVM_BUILD, so a tree that
is built already costs
nothing. Tested by tests/python/install_test.py."""
from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def _found(pattern: str, file: str) -> str:
    found = re.search(pattern, (ROOT / file).read_text(encoding="utf-8"), re.M)
    if not found:
        sys.exit(f"{file}: {pattern} is not in it")
    return found.group(1)


def _version() -> str:
    return _found(r"project\(sysvm VERSION (\S+)", "CMakeLists.txt")


def _project(key: str) -> str:
    return _found(rf'^{key} = "(.*)"', "pyproject.toml")


def _list(key: str) -> list[str]:
    return re.findall(r'"([^"]+)"', _found(rf"^{key} = \[(.*)\]", "pyproject.toml"))


def _metadata() -> str:
    lines = [
        "Metadata-Version: 2.1",
        "Name: sysvm",
        f"Version: {_version()}",
        f"Summary: {_project('description')}",
        "License: MIT",
        f"Requires-Python: {_project('requires-python')}",
    ]
    lines += [f"Requires-Dist: {one}" for one in _list("dependencies")]
    lines += [
        "Provides-Extra: plot",
        *[f'Requires-Dist: {one} ; extra == "plot"' for one in _list("plot")],
        "Description-Content-Type: text/markdown",
        "",
        (ROOT / "README.md").read_text(encoding="utf-8"),
    ]
    return "\n".join(lines)


def _tag() -> str:
    cp = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{cp}-{cp}-{re.sub('[-.]', '_', sysconfig.get_platform())}"


def _built() -> Path:
    """The package's folder, built for the Python that asks."""
    build = Path(os.environ.get("SYSVM_BUILD") or ROOT / "build")
    if not (build / "CMakeCache.txt").exists():
        subprocess.run(
            [
                "cmake",
                "-S",
                ROOT,
                "-B",
                build,
                "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                f"-DPython_EXECUTABLE={sys.executable}",
                f"-DPython3_EXECUTABLE={sys.executable}",
            ],
            check=True,
        )
    subprocess.run(
        [ROOT / "scripts" / "build", "--target", "python_package"],
        check=True,
        env={**os.environ, "SYSVM_BUILD": str(build)},
    )
    package, suffix = build / "python" / "sysvm", sysconfig.get_config_var("EXT_SUFFIX")
    if not (package / f"_sysvm{suffix}").exists():
        sys.exit(
            f"{build} was configured for another Python than {sys.executable} ({suffix}): name another folder"
            " in SYSVM_BUILD"
        )
    return package


def build_wheel(
    wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None
) -> str:
    package, info = _built(), f"sysvm-{_version()}.dist-info"
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    files = {
        f"sysvm/{path.name}": path.read_bytes()
        for path in sorted(package.iterdir())
        if path.suffix in (".py", ".pyi", ".typed") or path.name in ("py.typed", f"_sysvm{suffix}")
    }
    files[f"{info}/METADATA"] = _metadata().encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: sysvm\nRoot-Is-Purelib: false\nTag: {_tag()}\n".encode()
    )
    files[f"{info}/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    wheel = f"sysvm-{_version()}-{_tag()}.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return wheel


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """The files that git knows, under one folder."""
    name = f"sysvm-{_version()}"
    listed = (
        subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True)
        .stdout.decode()
        .split("\0")
    )
    with tarfile.open(Path(sdist_directory) / f"{name}.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for one in filter(None, listed):
            archive.add(ROOT / one, f"{name}/{one}", recursive=False)
        data = _metadata().encode()
        entry = tarfile.TarInfo(f"{name}/PKG-INFO")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return f"{name}.tar.gz"
