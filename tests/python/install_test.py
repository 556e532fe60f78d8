# SPDX-License-Identifier: MIT
"""`pip install .` without a network, into an environment of its own; what is installed works there. Skipped
(77) without venv."""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="sysvm-install."))
    try:
        made = subprocess.run(
            [sys.executable, "-m", "venv", "--system-site-packages", folder / "venv"],
            capture_output=True,
            text=True,
        )
        if made.returncode:
            print(
                "skipped: no virtual environment can be made here (Debian: python3-venv):"
                f" {made.stdout.strip()}"
            )
            return 77
        python, env = folder / "venv" / "bin" / "python", {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        env.pop("PYTHONPATH", None)
        subprocess.run(
            [
                python,
                "-m",
                "pip",
                "install",
                "-q",
                "--no-build-isolation",
                "--no-index",
                "--root-user-action=ignore",
                SOURCE,
            ],
            check=True,
            env=env,
        )
        sample = SOURCE / "traces" / "samples" / "grep.trace"
        script = (
            "import sysvm, importlib.metadata as m, sys\n"
            f"t = sysvm.open({str(sample)!r})\n"
            "assert len(t.df()) == len(t) > 1000\n"
            "assert sysvm.__file__.startswith(sys.prefix), sysvm.__file__\n"
            "assert m.version('sysvm') == sys.argv[1] and 'pandas' in m.requires('sysvm')\n"
            "files = {str(f) for f in m.files('sysvm')}\n"
            "assert {'sysvm/py.typed', 'sysvm/_sysvm.pyi', 'sysvm/trace.py'} <= files, files\n"
        )
        version = next(
            line
            for line in (SOURCE / "CMakeLists.txt").read_text().splitlines()
            if line.startswith("project(")
        ).split()[2]
        subprocess.run([python, "-c", script, version], check=True, env=env, cwd=folder)
        subprocess.run(
            [python, "-m", "pip", "uninstall", "-q", "-y", "--root-user-action=ignore", "sysvm"],
            check=True,
            env=env,
        )
        left = list((folder / "venv").glob("lib/*/site-packages/sysvm*"))
        assert not left, left
        return 0
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
