"""A classifier from a path, whichever runtime it is for."""

import os
from pathlib import Path

from nas.model.classifier import Classifier, model_classifier


def load_classifier(path: Path) -> Classifier:
    """The model in a directory or safetensors file, or what `nas export` made of one.

    A file is run by its own runtime: ONNX Runtime, LiteRT and so on; C is compiled and run here.
    ValueError for anything else.
    """
    from nas.model.export.formats import C, format_by_suffix

    name = None if os.path.isdir(path) else format_by_suffix(path)
    if name == C:
        from nas.model.export.c.reading import c_classifier

        return c_classifier(path)
    if name == "onnx":
        from nas.model.export.onnx_file import onnx_classifier

        return onnx_classifier(path)
    if name is not None:
        from nas.model.export.reading import runtime_classifier

        return runtime_classifier(path, name)
    from nas.model.model import load_model

    return model_classifier(load_model(path))
