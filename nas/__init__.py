"""How the space is searched: data, short runs, samplers, the driver, the command line.

From Python ``run_study``, ``train``, ``load_model``, ``compare``, ``try_networks`` and ``network``
do what the commands do.
"""

import importlib
import os
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.api.beside import NetworksTried, try_networks
    from nas.api.comparison import Comparison, compare
    from nas.api.images import keep_images
    from nas.api.model import TrainedModel, load_model
    from nas.api.network import Network, network
    from nas.api.study import StudyResult, run_study
    from nas.api.training import train
    from nas.interrupt import Interrupted
    from nas.settings import Recipe, Settings
    from search_space.catalog import CATALOG
    from search_space.space import SearchSpace

__all__ = [
    "CATALOG",
    "Comparison",
    "Interrupted",
    "Network",
    "NetworksTried",
    "Recipe",
    "SearchSpace",
    "Settings",
    "StudyResult",
    "TrainedModel",
    "compare",
    "keep_images",
    "load_model",
    "network",
    "run_study",
    "train",
    "try_networks",
]

FALLBACK = {"PYTORCH_ENABLE_MPS_FALLBACK": "1"}
"""What torch can't compute on Apple's GPU it computes on the CPU then, instead of failing."""

SILENCE = {"MLFLOW_DISABLE_TELEMETRY": "true", "ORT_DISABLE_TELEMETRY": "1"}
"""What makes other packages report nothing to their makers; they read it as they are imported.

MLflow sends events, ONNX Runtime writes an identity of the machine into the home directory. Whoever
sets these variables himself decides otherwise.
"""

for _name, _value in (SILENCE | FALLBACK).items():
    os.environ.setdefault(_name, _value)

# tqdm, which others import, says in a notebook that it misses widgets, which nothing here needs.
warnings.filterwarnings("ignore", "IProgress not found")

_MODULES = {
    "CATALOG": "search_space.catalog",
    "Comparison": "nas.api.comparison",
    "Interrupted": "nas.interrupt",
    "Network": "nas.api.network",
    "NetworksTried": "nas.api.beside",
    "Recipe": "nas.settings",
    "SearchSpace": "search_space.space",
    "Settings": "nas.settings",
    "StudyResult": "nas.api.study",
    "TrainedModel": "nas.api.model",
    "compare": "nas.api.comparison",
    "keep_images": "nas.api.images",
    "load_model": "nas.api.model",
    "network": "nas.api.network",
    "run_study": "nas.api.study",
    "train": "nas.api.training",
    "try_networks": "nas.api.beside",
}
"""Imported when they are asked for: `nas --help` needs none of them."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
