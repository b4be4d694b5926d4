"""A stored evaluation: what identifies it and what came of it; rows are made and read here."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple, Self

PLAIN_METRIC = "accuracy"

REPLAYED = "replay of "
"""How the data of evaluations begins that came from a table: they never enter one."""


def measured_so(recipe: Mapping[str, Any], metric: str, folds: int | None) -> dict[str, Any]:
    """A training recipe as evaluations keep it: with how they are measured, where that isn't plain.

    It is plain, and nothing is added, where accuracy is that of one split of the images.
    """
    added: dict[str, Any] = {}
    if metric != PLAIN_METRIC:
        added["metric"] = metric
    if folds not in (None, 1):
        added["folds"] = folds
    return {**recipe, **added}


def recipe_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe of a study's evaluations as these keep it, by the study's settings as stored."""
    return measured_so(
        settings["recipe"], settings.get("metric", PLAIN_METRIC), settings.get("folds")
    )


def is_plain(recipe: Mapping[str, Any]) -> bool:
    """Whether evaluations of that recipe, as they keep it, are of the accuracy of one split."""
    return not {"metric", "folds"} & recipe.keys()


@dataclass(frozen=True)
class Identity:
    """What an evaluation depends on, and is looked up by.

    ``key`` is the candidate's, ``recipe`` the training recipe as JSON data with how it is measured
    (`measured_so`), ``budget`` counts training images, ``data`` is the digest of the images and
    their split.
    """

    key: str
    recipe: Mapping[str, Any]
    resolution: int
    channels: int
    budget: int
    seed: int
    data: str

    def digest(self) -> str:
        """64 hexadecimal digits: equal exactly for equal identities."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Evaluation:
    """The result of a short run, and where it was made.

    ``accuracy`` (0..1) and ``loss`` (mean cross-entropy) are of the validation split; ``curve``
    holds [images seen, training loss, training accuracy]; ``seconds`` is the whole evaluation,
    ``images_per_second`` of training alone. If the run diverged, ``failure`` says how, and
    accuracy and loss are None.
    """

    accuracy: float | None
    loss: float | None
    curve: tuple[tuple[int, float, float], ...]
    seconds: float
    images_per_second: float
    host: str
    versions: dict[str, str]
    failure: str | None = None

    def to_row(self, identity: Identity) -> dict[str, Any]:
        """The columns of a row of the table ``nas_evaluations``, but for its time."""
        row = {"identity": identity.digest(), **asdict(identity), **asdict(self)}
        return row | {"curve": [list(point) for point in self.curve]}

    @classmethod
    def from_row(cls, row: Mapping[Any, Any]) -> Self:
        """Read an evaluation from a row of the table ``nas_evaluations``."""
        values = {name: row[name] for name in COLUMNS}
        curve = tuple((images, loss, accuracy) for images, loss, accuracy in row["curve"])
        return cls(**values | {"curve": curve, "versions": dict(row["versions"])})


COLUMNS = tuple(spec.name for spec in fields(Evaluation))


class Earlier(NamedTuple):
    """Accuracy (0..1) of an earlier study's candidate at a budget, the mean where seeds differ.

    ``candidate`` is its canonical JSON.
    """

    key: str
    budget: int
    accuracy: float
    candidate: dict[str, Any]
