"""What tests share: a small space, settings on it, the installed command, PostgreSQL, Chromium."""

import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

# Before torch is imported: tests run side by side, one process a core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest

from nas.settings import Settings
from search_space.space import SearchSpace

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page

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


hypothesis.settings.register_profile("fast", deadline=None, max_examples=30)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=100)


def _slow(config: pytest.Config) -> bool:
    return config.getoption("markexpr") == "slow"


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples Hypothesis makes, and hear Ctrl-C, as tests send it."""
    default = "thorough" if _slow(config) else "fast"
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", default))
    # A shell has it ignored by what it starts in the background, and by all that that starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Those with processes of their own come first, so that no long one is left for one core.

    With the slow tests, those on Hypothesis' examples run once more, on more of them.
    """
    items.sort(key=lambda item: "nas" not in getattr(item, "fixturenames", ()))
    if _slow(config):
        for item in items:
            if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
                item.add_marker(pytest.mark.slow)


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


T = TypeVar("T")

DRAWN = """
document.readyState === 'complete' && 'drawn' in document.getElementById('front-figure').dataset
&& document.getElementById('detail-title').textContent !== 'No trial is chosen'
"""

WAITS = """
new Promise((done, fail) => {
    const ask = () => (%s) ? done() : setTimeout(ask, 20);
    setTimeout(() => fail(new Error(%s)), 150000);
    ask();
})
"""


class Tab:
    """A page of a browser context of its own, what went wrong on it, and what it asked for."""

    def __init__(self, browser: "Browser", page: "Page") -> None:
        self._do, self._page = browser.do, page
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._do(self._listen)

    def _listen(self) -> None:
        self._page.set_default_timeout(150_000)
        self._page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._page.on("console", self._note)
        self._page.on("request", lambda request: self.requests.append(request.url))

    def _note(self, message: "ConsoleMessage") -> None:
        if message.type in ("error", "assert"):
            self.errors.append(message.text)

    def visit(self, url: str, ready: str) -> None:
        """Show a page, and wait until that is true there."""
        self._do(lambda: self._page.goto(url))
        self.until(ready)

    def open(self, path: Path) -> None:
        """Show a report from its front on, and wait until what is in the window is drawn."""
        self.visit(path.as_uri(), "document.readyState === 'complete'")
        self.value("document.getElementById('front').scrollIntoView()")
        self.until(DRAWN)

    def value(self, expression: str) -> Any:
        """What an expression is on the page; a promise is waited for."""
        return self._do(lambda: self._page.evaluate(expression))

    def until(self, expression: str) -> None:
        """Wait until that is true on the page."""
        # Playwright's own waiting compiles text, which the policy of a report forbids.
        self.value(WAITS % (expression, json.dumps(f"never: {expression}")))

    def click(self, selector: str, covered: bool = False) -> None:
        """Press the mouse in the middle of an element; ``covered`` by what takes the click."""
        self._do(lambda: self._page.click(selector, force=covered))

    def press(self, key: str) -> None:
        self._do(lambda: self._page.keyboard.press(key))

    def prefer(self, scheme: Literal["light", "dark"]) -> None:
        """What the system prefers from now on."""
        self._do(lambda: self._page.emulate_media(color_scheme=scheme))


class Browser:
    """A headless Chromium, driven from a thread of its own.

    Playwright leaves an event loop running in the thread that uses it, where no other test could
    start one.
    """

    def __init__(self, program: str) -> None:
        from playwright.sync_api import sync_playwright

        self._thread = ThreadPoolExecutor(1)
        self._playwright = self.do(sync_playwright().start)
        options = ["--disable-gpu", "--disable-quic", "--enable-unsafe-swiftshader"]
        launch = self._playwright.chromium.launch
        self._chromium = self.do(lambda: launch(executable_path=program, args=options))

    def do(self, what: Callable[[], T]) -> T:
        """The result of that in the thread."""
        return self._thread.submit(what).result()

    @contextlib.contextmanager
    def tab(self, width: int = 1400, scheme: Literal["light", "dark"] = "light") -> Iterator[Tab]:
        """An empty page on a screen of that width; a narrow one is a phone's."""
        screen = {"width": width, "height": 1000}
        new = self._chromium.new_context
        context = self.do(lambda: new(viewport=screen, is_mobile=width < 600, color_scheme=scheme))
        try:
            yield Tab(self, self.do(context.new_page))
        finally:
            self.do(context.close)

    def close(self) -> None:
        self.do(self._chromium.close)
        self.do(self._playwright.stop)
        self._thread.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; tests that want it are skipped where it isn't installed."""
    pytest.importorskip("playwright", reason="pip install -e '.[test]'")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    found = Browser(program)
    yield found
    found.close()
