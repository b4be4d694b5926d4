"""What tests share: a small space, settings on it, the installed command, PostgreSQL, Chromium."""

import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before torch is imported: tests run side by side, one process a core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from nas.settings import Settings
from search_space.space import SearchSpace

TINY = """\
[stem]
kernel = [3]
stride = [2]
width = [4, 8]
pool = [false]
second = [false]
[body]
stages = [1]
batch_norm = [true, false]
[stage]
blocks = [1]
width = [16, 24]
"""


@pytest.fixture(scope="session")
def tiny_toml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TOML file of networks that train in a moment."""
    path = tmp_path_factory.mktemp("space") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def tiny_settings() -> Settings:
    """Settings of a study on the small space, sampled at random."""
    return Settings(
        space=SearchSpace.from_toml(TINY), sampler="random", budgets=(256,), resolution=8
    )


@pytest.fixture(scope="session")
def nas() -> str:
    """The installed console script."""
    return str(Path(sys.executable).parent / "nas")


class Server:
    """A PostgreSQL of our own on loopback: programs in ``bin``, all else below ``directory``."""

    def __init__(self, bin: Path, directory: Path) -> None:
        self.bin, self.directory = bin, directory
        self.password = secrets.token_urlsafe(12)
        self.count = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.unprivileged: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self.unprivileged = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
            ]
            os.chown(directory, pwd.getpwnam("postgres").pw_uid, -1)
        secret = directory / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        self.run("initdb", "-U", "me", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")

    def run(self, program: str, *arguments: str) -> None:
        command = [*self.unprivileged, str(self.bin / program), "-D", f"{self.directory}/data"]
        # A server keeps what it inherits open: no pipes.
        with (self.directory / "said").open("ab") as said:
            subprocess.run([*command, *arguments], check=True, stdout=said, stderr=said, cwd="/")

    def start(self) -> None:
        settings = "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        options = f"-p {self.port} {settings}"
        self.run("pg_ctl", "-w", "-l", f"{self.directory}/log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-w", "-m", mode, "stop")

    def url(self, database: str = "postgres", password: str | None = None) -> str:
        secret = self.password if password is None else password
        return f"postgresql+psycopg://me:{secret}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(statement)

    def new(self) -> str:
        """The URL of a new, empty schema, which is made sooner than a database."""
        self.count += 1
        self.execute(f"CREATE SCHEMA study{self.count}")
        return f"{self.url()}?options=-csearch_path%3Dstudy{self.count}"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A throw-away PostgreSQL; tests that want one are skipped where it isn't installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install -e '.[postgres]'")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    bin = found[-1].parent if found else Path(str(on_path)).parent
    with tempfile.TemporaryDirectory(prefix="nas-postgres-") as directory:
        server = Server(bin, Path(directory))
        server.start()
        yield server
        server.stop("immediate")


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives URLs of databases that are not there yet, or empty; on SQLite, then on PostgreSQL."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("server")
        return server.new
    numbers = iter(range(100))
    return lambda: f"sqlite:///{tmp_path}/new{next(numbers)}.db"


DRAWN = """
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
        self.visit(path.as_uri(), DRAWN, width)

    def visit(self, url: str, ready: str, width: int = 1400) -> None:
        """Show a page, and wait until that is true there."""
        self.errors, self.requests = [], []
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Page.navigate", url=url)
        self.until(f"location.href.startsWith({json.dumps(url)}) && {ready}")

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
