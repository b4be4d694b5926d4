"""How the space is searched: data, short runs, samplers, the driver, the command line.

From Python, ``run_study(Settings(...))`` does what `nas run` does.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.settings import Recipe, Settings
    from nas.study.run import StudyInterrupt, StudyResult, run_study
    from search_space.space import SearchSpace

__all__ = ["Recipe", "SearchSpace", "Settings", "StudyInterrupt", "StudyResult", "run_study"]

SILENCE = {"MLFLOW_DISABLE_TELEMETRY": "true", "ORT_DISABLE_TELEMETRY": "1"}
"""What makes other packages report nothing to their makers; they read it as they are imported.

MLflow sends events, ONNX Runtime writes an identity of the machine into the home directory. Whoever
sets these variables himself decides otherwise.
"""

for _name, _value in SILENCE.items():
    os.environ.setdefault(_name, _value)

_MODULES = {
    "Recipe": "nas.settings",
    "SearchSpace": "search_space.space",
    "Settings": "nas.settings",
    "StudyInterrupt": "nas.study.run",
    "StudyResult": "nas.study.run",
    "run_study": "nas.study.run",
}
"""Imported when they are asked for: `nas --help` needs none of them."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
