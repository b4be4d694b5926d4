"""The command `nas dashboard`: Optuna Dashboard on a study, with notes and the Pareto plot."""

import contextlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from nas.interrupt import until_stopped
from nas.settings import Settings
from search_space.architecture import Candidate
from search_space.checks import check_range
from search_space.diagram import table
from search_space.expand import expand
from studies.notes import ours, signed, study_note, trial_note
from studies.report.content import Content
from studies.store import Store, StoreError
from studies.trials import load_candidates, load_trials, mark

HOST = "127.0.0.1"
RENEW_SECONDS = 30.0
"""How often notes and plot follow a study that runs."""

PLOT = "pareto-front"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Server(ThreadingMixIn, WSGIServer):
    """Serves the dashboard, and renews what we wrote there while the study changes."""

    daemon_threads = True
    renew: Callable[[], None] = staticmethod(lambda: None)

    def service_actions(self) -> None:
        """Called by ``serve_forever`` twice a second."""
        self.renew()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a line for each request would only be in the way."""


def serve(store: Store, study: str, port: int) -> None:
    """Serve a study on this machine until a signal; ValueError where that can't be done."""
    with until_stopped():  # whoever reads the address may stop it at once
        server, url = open_server(store, study, port)
        with server:
            print(f"Optuna Dashboard: {url} (Ctrl-C ends it)", file=sys.stderr)
            server.serve_forever()


def open_server(store: Store, study: str, port: int) -> tuple[Server, str]:
    """A server that listens, and the study's address there, once notes and plot are written.

    ValueError, with nothing written, where the extra, the study or the port isn't there.
    """
    store.study(study)
    check_range("--port", port, 0, 65_535)
    if importlib.util.find_spec("optuna_dashboard") is None:
        raise ValueError(
            "nas dashboard needs optuna-dashboard, which is not installed: "
            "pip install 'inception-nas[dashboard]'"
        )
    if not load_trials(store, study):
        raise StoreError(f"study {study!r} has no trials yet; wait for the first, or `nas run`")
    import optuna_dashboard

    try:
        server = Server((HOST, port), _Quiet)
    except OSError as error:
        raise ValueError(
            f"--port {port} can't be listened on: {error.strerror}; give another, or 0 for any"
        ) from None
    try:
        if store.unwritable:
            print(
                f"note: notes and plot aren't shown, since {store.shown} can't be written: "
                f"{store.unwritable}",
                file=sys.stderr,
            )
        else:
            annotate(store, study)
        storage = store.storage()
        with store.guard():
            number = storage.get_study_id_from_name(study)
    except BaseException:
        server.server_close()
        raise
    server.set_app(read_only(optuna_dashboard.wsgi(storage)))
    if not store.unwritable:
        server.renew = _renewal(store, study)
    return server, f"http://{HOST}:{server.server_port}/dashboard/studies/{number}"


def _renewal(store: Store, study: str) -> Callable[[], None]:
    """Writes notes and plot again where the study has changed, now and then."""
    seen, last = mark(store, study), time.monotonic()

    def renew() -> None:
        nonlocal seen, last
        if time.monotonic() - last < RENEW_SECONDS:
            return
        # A database that is away now may be there the next time.
        with contextlib.suppress(StoreError):
            now = mark(store, study)
            if now != seen:
                annotate(store, study)
                seen = now
        last = time.monotonic()

    return renew


def read_only(application: Application) -> Application:
    """Wrap an application so that it changes and deletes nothing, and answers no other site's page.

    Whoever is on this machine may ask; a page of elsewhere whose name was made to point here not.
    """

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        refused = ""
        if environ.get("HTTP_HOST", "").split(":")[0] not in (HOST, "localhost"):
            refused = f"it is asked for under {HOST} alone"
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            refused = "nas dashboard only shows; optuna-dashboard itself can change studies"
        if not refused:
            return application(environ, start)
        start("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": refused}).encode()]

    return answer


def annotate(store: Store, name: str) -> None:
    """Write notes of the study and of its front, and its plot, where Optuna Dashboard shows them.

    Notes that somebody else wrote or edited stay. What is no longer on the front says so.
    """
    import optuna
    from optuna_dashboard import get_note, save_note, save_plotly_graph_object

    from studies.plots import Point, pareto_figure

    content, about, settings = _collect(store, name)
    trials = {trial.number: trial for trial in content.trials if trial.state == "complete"}
    members = {result.number for result in content.front}
    candidates = load_candidates(store, {trials[number].key for number in members})
    # Architectures of others would be most of what the dashboard loads again and again.
    points = [
        Point(r.number, r.values, r.text if r.number in members else "")
        for r in content.results.completed
    ]
    storage = store.storage()
    with store.guard():
        # Its sampler must write nothing when a trial is opened; the default one does.
        sampler = optuna.samplers.RandomSampler()
        study = optuna.load_study(study_name=name, storage=storage, sampler=sampler)
        identity = storage.get_study_id_from_name(name)

        def write(where: "optuna.Study | optuna.Trial", note: str) -> None:
            before, after = get_note(where), signed(note)
            if before != after and (not before or ours(before)):
                save_note(where, after)

        write(study, study_note(content, about))
        noted = storage.get_study_system_attrs(identity)
        for number, trial in trials.items():
            place = storage.get_trial_id_from_study_id_trial_number(identity, number)
            if number not in members and f"dashboard:{place}:note_ver" not in noted:
                continue
            layers = ""
            if found := candidates.get(trial.key):
                architecture = Candidate.from_json(found).architecture
                graph = expand(architecture, settings.channels, settings.classes)
                layers = table(graph, settings.image, 1)
            write(optuna.Trial(study, place), trial_note(content, trial, layers))
        figure = pareto_figure(points, content.axes, f"Pareto front of {name}", "accuracy")
        save_plotly_graph_object(study, figure, graph_object_id=PLOT)


def _collect(store: Store, name: str) -> tuple[Content, dict[str, str], Settings]:
    """What notes say of a study: its trials, and facts by their names."""
    settings = Settings.from_json(store.study(name)["settings"])
    about = {
        "sampler": settings.sampler,
        "data set": settings.dataset,
        "images": "x".join(map(str, settings.image)),
        "rungs": ", ".join(f"{budget:,} images" for budget in settings.budgets),
        "promotion": settings.promotion,
        "seed": str(settings.seed),
    }
    trials = load_trials(store, name)
    axes = store.axes(name)
    said = "A search by Inception NAS"
    return Content(name, store.shown, axes, said, settings.budgets, trials), about, settings
