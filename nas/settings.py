"""Frozen dataclasses of a run's settings: the training recipe, and what a study is about."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from nas.datasets.found import PixelRange, Reading
from nas.datasets.sources import FROM_MEMORY, source
from nas.defaults import CLASSES, DATASET, MAX_RESOLUTION, MIN_RESOLUTION, PRECISIONS
from nas.metrics import ACCURACY, METRICS
from nas.rungs.names import PROMOTIONS
from nas.seeds import derive
from search_space.architecture import Candidate
from search_space.catalog import Classic, candidate
from search_space.checks import check_choice, check_range, check_type
from search_space.cost import Cost, OnDevice, asks_for_device, cost
from search_space.device.cores import CORES, ENTRIES, Core
from search_space.graph import Shape
from search_space.space import SearchSpace
from studies.evaluation import Identity, measured_so

BUDGET = (128, 10_000_000)
"""Least and most training images of a short run."""

MOST_CLASSES = 100_000
MOST_FOLDS = 100

DEFAULT_BUDGETS = (5_000, 20_000, 80_000)
"""Training images of each rung."""

DEFAULT_ETA = 4.0
DEFAULT_REPEATS = 0.2
DEFAULT_OBJECTIVES = ("accuracy", "params", "flops")
LIMITS = (
    *("params", "flops", "activation_bytes"),
    *("flash_bytes", "arena_bytes", "cycles", "latency"),
)
"""What a study may have a limit for, as ``max_params`` and so on; latency takes time, so last."""

AS_BEGUN = (
    *("space", "sampler", "dataset", "channels", "pixel_range"),
    *("budgets", "eta", "promotion", "warm_start", "min_accuracy", "repeats"),
    *("metric", "folds", "device"),
)
"""What a study goes on with where nothing else is asked for."""

PLACE_OF_IMAGES = ("dataset", "pixel_range")
"""Settings that say where images are and how they are read, which their digest stands for."""

MEASURED = ("edition", "reference", "largest")
"""Settings that nobody asks for: they are found as a study begins, and kept with it."""

EDITION = 2
"""How studies that begin now draw candidates and measure their fronts; those of 0.1 are of 1."""

TRIALS = (1, 1_000_000)
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Recipe:
    """How a short run trains: SGD with Nesterov momentum, one cycle annealed to the budget.

    Learning rates are peaks: ``learning_rate`` with batch norm, ``plain_learning_rate`` without,
    where gradients are also clipped to a norm of ``clip``. ``warmup`` is the share of the steps
    that lead up to the peak. ``precision`` is float32, or bf16 autocast.
    """

    batch_size: int = 64
    learning_rate: float = 0.4
    plain_learning_rate: float = 0.15
    clip: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup: float = 0.25
    precision: str = "float32"

    def __post_init__(self) -> None:
        check_range("batch size", self.batch_size, 1, 65536)
        check_choice("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class Reference:
    """The classifier that a network must beat to be of use: logistic regression on the pixels.

    ``accuracy`` is 0..1 on the ``images`` validation images; ``params`` and ``flops`` are its cost.
    """

    accuracy: float
    params: int
    flops: int
    images: int


@dataclass(frozen=True)
class Request:
    """Everything that an evaluation depends on, and where its ``images`` lie.

    ``data`` is the digest of the images and their split, ``budget`` counts training images of one
    run, of which there is one for each of the ``folds``. ``metric`` is what accuracy is.
    """

    network: Candidate | Classic
    recipe: Recipe
    images: Reading
    budget: int
    seed: int
    data: str
    metric: str = ACCURACY
    folds: int = 1

    @property
    def candidate(self) -> Candidate:
        """The network where it is a candidate, as in every study."""
        assert isinstance(self.network, Candidate), "a study trains candidates alone"
        return self.network

    def identity(self) -> Identity:
        """What evaluations are looked up by: equal exactly for requests of equal results."""
        return Identity(
            self.network.key,
            measured_so(asdict(self.recipe), self.metric, self.folds),
            self.images.resolution,
            self.images.channels,
            self.budget,
            self.seed,
            self.data,
        )


@dataclass(frozen=True)
class Settings:
    """What a study is about. Two runs with equal settings may share a study.

    ``dataset`` is as ``--dataset`` names it, a folder by its absolute path, and ``data`` the digest
    of its images; ``pixel_range`` are the values of black and white in those of more than 8 bits,
    where that was asked for. ``resolution`` is in pixels. ``budgets`` are the rungs, in training
    images, increasing; one number is that of the last of three; ``promotion`` says who goes on from
    one to the next: with asha the best 1/``eta``. ``repeats`` is the share (0..1) of all training
    that goes to candidates once more, with other seeds, where their place on the front isn't
    decided. Nothing is proposed above ``max_params``, ``max_flops``, ``max_activation_bytes``,
    ``max_flash_bytes`` or ``max_arena_bytes`` (of the network's C file), or ``max_cycles`` (of one
    image on the ``device``, a core or its name in ``CORES``), and what is above ``max_latency``
    (seconds of one image) is pruned before training; None: no limit.
    ``start_from`` are candidates of the catalog that are the study's first trials. ``warm_start``:
    as it begins, it learns what earlier studies of the database have measured in the same space
    with the same recipe. ``min_accuracy`` (0..1) is the least that a network of use has, if that is
    more than the ``reference`` has. ``metric`` is what accuracy is: the share of all images, or
    with balanced-accuracy the mean over classes. ``folds``: each evaluation trains so many times,
    and validates on other images each time; None: once, or as often as few images need.

    What follows is found as a study begins. ``edition`` 2: candidates are drawn evenly over the
    logarithm of parameters, and the front is measured in the logarithm of the error against the
    ``reference``; 1: each choice is equally likely, and the front is measured in accuracy against
    chance. ``largest`` has the cost of the space's largest candidate, by the names of objectives.
    """

    space: SearchSpace = field(default_factory=SearchSpace)
    objectives: tuple[str, ...] = DEFAULT_OBJECTIVES
    sampler: str = "ms-ehvi"
    seed: int = 0
    resolution: int = 28
    channels: int = 1
    budgets: tuple[int, ...] = DEFAULT_BUDGETS
    eta: float = DEFAULT_ETA
    promotion: str = "improvement"
    repeats: float = DEFAULT_REPEATS
    max_params: int | None = None
    max_flops: int | None = None
    max_activation_bytes: int | None = None
    max_flash_bytes: int | None = None
    max_arena_bytes: int | None = None
    max_cycles: int | None = None
    max_latency: float | None = None
    start_from: tuple[str, ...] = ()
    warm_start: bool = True
    recipe: Recipe = field(default_factory=Recipe)
    data: str = ""
    dataset: str = DATASET
    classes: int = CLASSES
    pixel_range: PixelRange | None = None
    min_accuracy: float | None = None
    metric: str = ACCURACY
    folds: int | None = None
    device: Core | None = None
    edition: int = EDITION
    reference: Reference | None = None
    largest: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("objectives", "start_from", "budgets", "pixel_range"):
            object.__setattr__(self, name, _several(name, getattr(self, name), self.eta))
        if isinstance(self.space, Mapping):
            object.__setattr__(self, "space", SearchSpace(self.space))
        if isinstance(self.device, str):
            object.__setattr__(self, "device", ENTRIES.preset(self.device, CORES))
        if self.device is not None:
            check_type("device", self.device, Core)
        check_type("space", self.space, SearchSpace)
        check_type("recipe", self.recipe, Recipe)
        check_type("sampler", self.sampler, str)
        source(self.dataset)
        if not isinstance(self.data, str):
            raise ValueError(f"data is {type(self.data).__name__}; as dataset {FROM_MEMORY}")
        check_range("seed", self.seed, 0, MAX_SEED)
        check_range("resolution", self.resolution, MIN_RESOLUTION, MAX_RESOLUTION)
        check_choice("channels", self.channels, (1, 3))
        check_range("classes", self.classes, 2, MOST_CLASSES)
        check_budgets(self.budgets)
        check_eta(self.eta)
        check_choice("promotion", self.promotion, PROMOTIONS)
        check_range("repeats", self.repeats, 0.0, 0.9, integer=False)
        for name in (f"max_{limit}" for limit in LIMITS if limit != "latency"):
            if getattr(self, name) is not None:
                check_range(name.replace("_", " "), getattr(self, name), 1, 10**15)
        if self.max_latency is not None:
            check_range("max latency", self.max_latency, 1e-9, 3600, integer=False)
        if self.min_accuracy is not None:
            check_range("min accuracy", self.min_accuracy, 0.0, 0.9999, integer=False)
        if self.device is None and ("cycles" in self.objectives or self.max_cycles is not None):
            asked = "an objective" if "cycles" in self.objectives else "limited"
            raise ValueError(
                f"cycles is {asked} and no device is given; name one of {', '.join(CORES)}, or a "
                "file that ends with .toml"
            )
        check_choice("metric", self.metric, METRICS)
        if self.folds is not None:
            check_range("folds", self.folds, 1, MOST_FOLDS)
        check_choice("edition", self.edition, (1, EDITION))
        for name in self.start_from:
            candidate(name)

    @property
    def image(self) -> Shape:
        """Shape of the images: channels, height, width."""
        return self.channels, self.resolution, self.resolution

    def moved(self, now: "Settings") -> "Settings":
        """These settings with their images where they are now: of the same digest, they are equal.

        How they are read, ``pixel_range``, is a part of the digest where it makes a difference.
        """
        if not self.data or self.data != now.data:
            return self
        return replace(self, **{name: getattr(now, name) for name in PLACE_OF_IMAGES})

    def reading(self, directory: str) -> Reading:
        """How the images in a directory are read."""
        return Reading(self.dataset, directory, self.resolution, self.channels, self.pixel_range)

    def limits(self) -> dict[str, float]:
        """The limits that the study has, by the name of what they limit."""
        given = {name: getattr(self, f"max_{name}") for name in LIMITS}
        return {name: limit for name, limit in given.items() if limit is not None}

    def free_limits(self) -> dict[str, float]:
        """Those of the limits that a candidate is checked against without running it."""
        return {name: limit for name, limit in self.limits().items() if name != "latency"}

    @property
    def on_device(self) -> OnDevice:
        """The device, or else whether costs on one are among the objectives or the limits."""
        return self.device or asks_for_device((*self.objectives, *self.limits()))

    def cost(self, candidate: Candidate) -> Cost:
        """A candidate's exact cost on the study's images."""
        device = self.on_device
        return cost(candidate.architecture, self.resolution, self.channels, self.classes, device)

    def request(
        self,
        network: Candidate | Classic,
        directory: str = "",
        rung: int = -1,
        repeat: int = 0,
    ) -> Request:
        """The evaluation of a network, a candidate as a rule, at a rung.

        Its seed is of the study and of the number of the ``repeat``, not of the trial.
        """
        again = (repeat,) if repeat else ()
        return Request(
            network,
            self.recipe,
            self.reading(directory),
            self.budgets[rung],
            derive(self.seed, "evaluation", *again),
            self.data,
            self.metric,
            self.folds or 1,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; ``from_json`` gives equal settings back."""
        data = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        return data | {
            "space": self.space.to_json(),
            "objectives": list(self.objectives),
            "start_from": list(self.start_from),
            "budgets": list(self.budgets),
            "recipe": asdict(self.recipe),
            "device": None if self.device is None else asdict(self.device),
            "pixel_range": None if self.pixel_range is None else list(self.pixel_range),
            "reference": None if self.reference is None else asdict(self.reference),
            "largest": dict(self.largest),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The settings that ``to_json`` described, or that an earlier version wrote."""
        known = {spec.name for spec in fields(cls)}
        given = {name: value for name, value in data.items() if name in known}
        if "budget" in data:  # before there were rungs
            given |= {"budgets": [data["budget"]], "promotion": "none"}
        return cls(
            **given
            | {
                "budgets": tuple(given["budgets"]),
                "space": SearchSpace.from_json(data["space"]),
                "objectives": tuple(data["objectives"]),
                "start_from": tuple(data.get("start_from", ())),
                "warm_start": data.get("warm_start", False),
                "repeats": data.get("repeats", 0.0),
                "folds": data.get("folds", 1),
                "recipe": Recipe(**data["recipe"]),
                "pixel_range": tuple(data["pixel_range"]) if data.get("pixel_range") else None,
                "edition": data.get("edition", 1),
                "device": Core(**data["device"]) if data.get("device") else None,
                "reference": Reference(**data["reference"]) if data.get("reference") else None,
            }
        )


def wanted(
    begun: Settings | None,
    asked: Mapping[str, Any],
    budgets: tuple[int, ...] = (),
    count: int | None = None,
) -> Settings:
    """The settings that are asked for, by their names; those that are None are as in ``begun``.

    ``budgets`` are the rungs', or the last one's alone, of ``count`` rungs then. ValueError where
    something can't be.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    before = Settings() if begun is None else begun
    kept = {name: getattr(before, name) for name in AS_BEGUN}
    if budgets or count is not None or "eta" in given:
        rung_count = len(before.budgets) if count is None else count
        eta = given.get("eta", before.eta)
        last = budgets or before.budgets[-1:]
        given["budgets"] = last if len(last) > 1 else rungs(last[0], rung_count, eta)
    return Settings(**kept | given)


def _several(name: str, value: Any, eta: float) -> tuple[Any, ...] | None:
    """What stands for several values as a tuple of them.

    Names may have commas between; one number of ``budgets`` is the last rung's. ValueError where
    it is something else.
    """
    if value is None and name == "pixel_range":
        return None
    if isinstance(value, str) and name in ("objectives", "start_from"):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, int) and not isinstance(value, bool) and name == "budgets":
        return rungs(value, len(DEFAULT_BUDGETS), eta)
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        what = "names" if name in ("objectives", "start_from") else "numbers"
        raise ValueError(f"{name} is {value!r}; give a tuple of {what}")
    return tuple(value)


def check_study_name(name: str) -> str:
    """Return a name that can also begin the name of a file; ValueError on one that can't."""
    if not re.fullmatch(r"[^\W_][\w.\- ]{0,99}", name):
        raise ValueError(
            f"study is {name!r}; give 1 to 100 letters, digits, '-', '_', '.' or spaces, "
            "a letter or digit first"
        )
    return name


def check_budgets(budgets: tuple[int, ...]) -> None:
    """ValueError unless there is a budget, each is possible, and they increase."""
    if not budgets:
        raise ValueError("budgets is empty; give at least one, such as 45k")
    for budget in budgets:
        check_range("budget", budget, *BUDGET)
    if list(budgets) != sorted(set(budgets)):
        listed = ",".join(map(str, budgets))
        raise ValueError(f"budgets is {listed}; they must increase from rung to rung")


def check_eta(eta: float) -> None:
    """ValueError unless budgets would grow by ``eta``."""
    check_range("eta", eta, 1.01, 100, integer=False)


def rungs(budget: int, count: int, eta: float) -> tuple[int, ...]:
    """``count`` budgets that grow by a factor of ``eta`` up to ``budget``.

    ValueError where they can't.
    """
    check_range("rungs", count, 1, 20)
    check_eta(eta)
    check_range("budget", budget, *BUDGET)
    budgets = tuple(round(budget / eta**step) for step in reversed(range(count)))
    if budgets[0] < BUDGET[0]:
        raise ValueError(
            f"budget is {budget}; {count} rungs that grow by {eta:g} would begin at {budgets[0]} "
            f"images, and {BUDGET[0]} is the least: give larger --budgets or fewer --rungs"
        )
    check_budgets(budgets)
    return budgets


def differences(stored: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> list[str]:
    """One 'name: the study has X, this run asks for Y' for every value that differs, nested."""
    out: list[str] = []
    for name in sorted(stored.keys() | asked.keys()):
        old, new = stored.get(name), asked.get(name)
        if name == "device":
            names = [core and core["name"] for core in (old, new)]
            if names[0] != names[1]:  # all else is another's then
                old, new = names
        if isinstance(old, dict) and isinstance(new, dict):
            out += differences(old, new, f"{prefix}{name}.")
        elif old != new:
            out.append(f"{prefix}{name}: the study has {old!r}, this run asks for {new!r}")
    return out
