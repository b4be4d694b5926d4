"""What tests of the report share: studies made up of plain data, and a browser."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studies.pareto import Axis
from studies.report.content import Content, Factor, Reference
from studies.trials import Evaluated, Trial

ACCURACY = Axis("accuracy", "fraction", maximize=True, log=False, reference=0.1)
PARAMS = Axis("params", "parameters", maximize=False, log=True, reference=1e7)
FLOPS = Axis("flops", "FLOPs", maximize=False, log=True, reference=1e10)
AXES = (ACCURACY, PARAMS, FLOPS)
BUDGETS = (1_000, 4_000)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><path d="M0 0h9v9"/></svg>'

MakeContent = Callable[..., Content]


@pytest.fixture(scope="session")
def make_content() -> MakeContent:
    """A study of so many trials: a third of those with rungs stopped, every tenth failed.

    Normed networks are 5 points better than their cost says, the factor ``noise`` changes nothing.
    """

    def make(count: int, axes: tuple[Axis, ...] = AXES, **more: Any) -> Content:
        random = np.random.default_rng(1)
        trials, evaluations, choices, drawings = [], [], {}, {}
        for number in range(count):
            size, normed = random.uniform(3, 6), bool(random.integers(2))
            params, flops = int(10**size), int(10 ** (size + random.uniform(1, 2)))
            accuracy = min(0.97, 0.3 + 0.09 * size + 0.05 * normed + random.normal(0, 0.01))
            rungs = (round(accuracy - 0.1 + random.normal(0, 0.01), 6), round(accuracy, 6))
            state = "fail" if number % 10 == 9 else "pruned" if number % 3 == 2 else "complete"
            rungs = {"fail": (), "pruned": rungs[:1], "complete": rungs}[state]
            key = f"key{number}"
            known = {"key": key, "architecture": f"net {number}", "params": params, "flops": flops}
            known |= {"rungs": list(rungs), "seconds": float(len(rungs) ** 2)} if rungs else {}
            known |= {"failure": "it diverged"} if state == "fail" else {}
            values = {"accuracy": accuracy, "params": params, "flops": flops}
            told = tuple(float(values[axis.name]) for axis in axes) if state == "complete" else ()
            trials.append(Trial(number, state, told, known))
            choices[key] = {
                "norm": {"yes" if normed else "no": 1.0},
                "noise": {"a" if number % 2 else "b": 1.0},
            }
            for rung, reached in enumerate(rungs):
                budget, curve = BUDGETS[rung], ((500, 1.5, 0.4), (BUDGETS[rung], 0.9, reached))
                seconds = 1.0 + 2.0 * rung
                evaluations.append(
                    Evaluated(key, budget, reached, seconds, curve, "here", datetime(2026, 1, 1))
                )
            if state == "complete" and number < 30:
                drawings[number] = SVG
        given: dict[str, Any] = {
            "study": "s",
            "storage": "sqlite:///nas.db",
            "axes": axes,
            "searched": "random searched a space",
            "budgets": BUDGETS,
            "trials": trials,
            "evaluations": evaluations,
            "factors": [Factor("norm"), Factor("noise")],
            "choices": choices,
            "drawings": drawings,
            "references": [Reference("known net", "a paper", 0.9, 100_000, 10_000_000, True)],
            "facts": {"The study": [("seed", "0")]},
        }
        return Content(**given | more)

    return make


READY = """
document.readyState === 'complete' && 'drawn' in document.getElementById('front-figure').dataset
&& document.getElementById('detail-title').textContent !== 'No trial is chosen'
"""


class Browser:
    """A headless Chromium that is driven over its own two pipes, and what it said."""

    def __init__(self, program: str, profile: str) -> None:
        options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        options += "--disable-background-networking --disable-component-update --disable-sync "
        options += f"--enable-unsafe-swiftshader --remote-debugging-pipe --user-data-dir={profile}"
        hears, self._says = os.pipe()
        self._hears, says = os.pipe()

        def wire() -> None:  # it reads from file 3 and writes to file 4
            first, second = os.dup(hears), os.dup(says)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self._process = subprocess.Popen(
            [program, *options.split(), "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=wire,
        )
        os.close(hears)
        os.close(says)
        self._left, self._number, self._session = b"", 0, ""
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        found = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        os.close(self._says)
        os.close(self._hears)
        self._process.kill()
        self._process.wait()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Do something; what it answers. What else it says meanwhile is remembered."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._says, json.dumps(message).encode() + b"\0")
        while True:
            heard = self._next()
            if heard.get("id") == self._number:
                assert "error" not in heard, heard
                return dict(heard["result"])
            self._note(heard)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            more = os.read(self._hears, 1 << 20)
            assert more, "the browser has ended"
            self._left += more
        first, self._left = self._left.split(b"\0", 1)
        return dict(json.loads(first))

    def _note(self, heard: dict[str, Any]) -> None:
        said = heard.get("params", {})
        if heard["method"] == "Runtime.exceptionThrown":
            self.errors.append(str(said["exceptionDetails"]))
        elif heard["method"] == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.errors.append(said["entry"]["text"])
        elif heard["method"] == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert"):
            self.errors.append(str(said["args"]))
        elif heard["method"] == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])

    def value(self, expression: str) -> Any:
        """What an expression is on the page; a promise is waited for."""
        found = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str, seconds: float = 150) -> None:
        """Wait until that is true on the page."""
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, f"never: {expression}; {self.errors}"
            time.sleep(0.05)

    def open(self, path: Path, width: int = 1400) -> None:
        """Show a report, and wait until what is in the window is drawn."""
        self.errors, self.requests = [], []
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Page.navigate", url=path.as_uri())
        self.until(f"location.href.startsWith('{path.as_uri()}') && {READY}")

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element."""
        box = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{box}.scrollIntoView({{block: 'center'}})")
        edges = self.value(f"{box}.getBoundingClientRect().toJSON()")
        place = {
            "x": edges["x"] + edges["width"] / 2,
            "y": edges["y"] + edges["height"] / 2,
        }
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self.send("Input.dispatchMouseEvent", type=kind, button=button, clickCount=1, **place)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; tests that want it are skipped where it isn't installed."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="nas-browser-", ignore_cleanup_errors=True) as profile:
        found = Browser(program, profile)
        yield found
        found.close()


HOSTILE = "</script><script>window.hacked = 1</script><b>x</b> \"q\" 'r' <!-- \u202eleft {0} %{x}"


@pytest.fixture(scope="session")
def hostile(make_content: MakeContent) -> Content:
    """A study that has HTML, quotes and right-to-left text wherever there is text."""
    made = make_content(90)
    trials = []
    for trial in made.trials:
        known = {**trial.known, "architecture": HOSTILE}
        known |= {"failure": HOSTILE} if trial.state == "fail" else {}
        trials.append(replace(trial, known=known))
    return replace(
        made,
        study=HOSTILE,
        storage=HOSTILE,
        searched=HOSTILE,
        trials=trials,
        factors=[Factor("norm", unit=HOSTILE), Factor("noise")],
        references=[Reference(HOSTILE, HOSTILE, 0.9, 100_000, 10_000_000, True)],
        facts={HOSTILE: [(HOSTILE, HOSTILE)]},
    )
