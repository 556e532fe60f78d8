# SPDX-License-Identifier: MIT
"""Chromium without a window, driven over the pipe of its own protocol: no driver, no network, no port."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT = 120


class Browser:
    """One page at a time. What the page writes to its console, or throws, is in `complaints`; what it asks
    for, in `requests`."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="sysvm-browser.")
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()

        def place() -> None:  # the protocol's pipes are descriptors 3 and 4
            saved_read, saved_write = os.dup(to_read), os.dup(to_write)
            os.dup2(saved_read, 3)
            os.dup2(saved_write, 4)

        self._process = subprocess.Popen(
            [
                PROGRAM,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-extensions",
                "--disable-background-networking",
                "--no-first-run",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
                f"--user-data-dir={self._profile.name}",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=place,
            close_fds=False,
            env={**os.environ, "HOME": self._profile.name},
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._number = 0
        self._session = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._session = None
            self.call("Browser.close")
        except (OSError, EOFError):
            pass
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        for _ in range(20):  # helpers of the browser may still write into its profile
            try:
                self._profile.cleanup()
                break
            except OSError:
                time.sleep(0.1)

    def call(self, method: str, **parameters: object) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _next(self, deadline: float, method: str) -> dict:
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"{method}: no answer in {TIMEOUT} s")
            more = os.read(self._from, 1 << 20)
            if not more:
                raise EOFError("the browser is gone")
            self._buffer += more
        one, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(one)

    def _note(self, event: dict) -> None:
        what, of = event.get("method"), event.get("params", {})
        if what == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(of["exceptionDetails"])[:500])
        if what == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(of["args"])[:500])
        if what == "Log.entryAdded":
            self.complaints.append(f"{of['entry'].get('level')}: {of['entry'].get('text')}")
        if what == "Network.requestWillBeSent":
            self.requests.append(of["request"]["url"][:200])

    def size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def prefer(self, **features: str) -> None:
        """prefers_color_scheme="dark" and the like."""
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()],
        )

    def scripts(self, on: bool) -> None:
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def open(self, page: Path, ready: str = "window.sysvmReport?.ready === true") -> None:
        self.complaints.clear()
        self.requests.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        deadline = time.monotonic() + TIMEOUT
        while not (self.value("document.readyState") == "complete" and (not ready or self.value(ready))):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{page} does not become ready: {self.complaints}")
            time.sleep(0.05)
        if ready:  # without scripts no frame calls anybody
            self.settle()

    def value(self, expression: str) -> object:
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {json.dumps(result['exceptionDetails'])[:1000]}")
        return result["result"].get("value")

    def settle(self) -> None:
        """Two frames later."""
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def key(self, key: str, text: str | None = None) -> None:
        more = {"text": text or key} if text or len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.settle()

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)
        self.settle()

    def picture(self, path: Path, whole: bool = True) -> None:
        self.settle()
        shot = self.call(
            "Page.captureScreenshot",
            format="png",
            captureBeyondViewport=whole,
            **({"clip": self._whole()} if whole else {}),
        )
        path.write_bytes(base64.b64decode(shot["data"]))

    def _whole(self) -> dict:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
