# SPDX-License-Identifier: MIT
"""Source packages, for the suites that they hold: the version of the program that is installed here, or the
nearest that the archive still has, unpacked below the build.

Package lists and archives are apt's, in folders of our own with a deb-src list of our own; the archives'
addresses are those of the machine. The machine's lists, sources and packages stay as they are.
"""
import os
import re
import subprocess
from pathlib import Path

from suite import Unavailable

ARCHIVE = re.compile(r"^ *\d+ (https?://\S*/debian(?:-security)?) ([\w-]+)/main amd64 Packages$", re.M)


def text_of(*argv: str, env: dict[str, str] | None = None) -> str:
    return subprocess.run(argv, capture_output=True, text=True, env=env).stdout


class Sources:
    used: dict[str, str] = {}  # binary package -> version of the source that was unpacked for it

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.apt = folder / "apt"
        self.env = {**os.environ, "APT_CONFIG": str(self.apt / "apt.conf"), "LC_ALL": "C.UTF-8"}

    def update(self) -> None:
        if (self.apt / "updated").exists():
            return
        archives = sorted(set(ARCHIVE.findall(text_of("apt-cache", "policy"))))
        if not archives:
            raise Unavailable("apt names no Debian archive that could have source packages")
        for part in ("lists/partial", "cache/archives/partial"):
            (self.apt / part).mkdir(parents=True, exist_ok=True)
        (self.apt / "sources.list").write_text("".join(f"deb-src {url} {suite} main\n"
                                                       for url, suite in archives))
        (self.apt / "apt.conf").write_text(
            f'Dir::Etc::SourceList "{self.apt}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
            f'Dir::State::Lists "{self.apt}/lists";\nDir::Cache "{self.apt}/cache";\nAPT::Sandbox::User "";\n'
        )
        done = subprocess.run(["apt-get", "-q", "update"], env=self.env, capture_output=True, text=True)
        if done.returncode:
            raise Unavailable(f"apt-get update of source packages: {done.stderr.strip()[:300]}")
        (self.apt / "updated").touch()

    def unpack(self, package: str) -> Path:
        """The unpacked source of an installed binary package, patches applied."""
        source, version = installed_source(package)
        self.update()
        shown = text_of("apt-cache", "showsrc", source, env=self.env)
        known = re.findall(rf"^Package: {re.escape(source)}$.*?^Version: (\S+)$", shown, re.M | re.S)
        reasons = []
        for chosen in nearest(version, known):
            folder = self.folder / "src" / f"{source}-{chosen.replace(':', '_')}"
            if not (folder / "complete").exists():
                folder.mkdir(parents=True, exist_ok=True)
                done = subprocess.run(["apt-get", "-q", "source", f"{source}={chosen}"], cwd=folder,
                                      env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True)
                if done.returncode:  # a list names versions that its archive has no more
                    reasons.append(f"apt-get source {source}={chosen}: {done.stdout.strip()[-300:]}")
                    continue
                (folder / "complete").touch()
            self.used[package] = chosen
            return next(p for p in sorted(folder.iterdir()) if p.is_dir())
        raise Unavailable("\n".join(reasons)
                          or f"no source of {source} {version}; apt knows {', '.join(known) or 'none'}")


def nearest(version: str, known: list[str]) -> list[str]:
    """Versions whose tests may do for an installed one, the best first: itself, then those of the same
    upstream version (an update of Debian's changes few tests), newest first. Another upstream version would
    test what the program does not promise."""
    same = sorted({v for v in known if upstream(v) == upstream(version)}, key=numbers, reverse=True)
    return [v for v in same if v == version] + [v for v in same if v != version]


def numbers(version: str) -> list[tuple[int, str]]:
    """For sorting: deb12u10 is after deb12u9."""
    return [(int(n or 0), word) for word, n in re.findall(r"(\D*)(\d*)", version)]


def upstream(version: str) -> str:
    return version.split(":")[-1].rpartition("-")[0]


def installed_source(package: str) -> tuple[str, str]:
    out = text_of("dpkg-query", "-W", "-f", "${source:Package} ${source:Version} ${Status}\n",
                  package).split()
    if len(out) < 3 or out[-1] != "installed":
        raise Unavailable(f"{package} is not installed: see scripts/packages-suites.txt")
    return out[0], out[1]


def installed_version(package: str) -> str:
    return text_of("dpkg-query", "-W", "-f", "${Version}", package) or "?"


def must(argv: list[str], cwd: Path, env: dict[str, str] | None = None, log: Path | None = None) -> None:
    """A step of the preparation; what it says goes to a log."""
    log = log or cwd / "sysvm-prepare.log"
    with open(log, "a") as out:
        done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.STDOUT)
    if done.returncode:
        raise Unavailable(f"{' '.join(argv)[:120]}: exit status {done.returncode}, see {log}")
