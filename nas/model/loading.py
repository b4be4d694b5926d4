"""A classifier from a path, whichever runtime it is for."""

import os
from pathlib import Path

from nas.model.classifier import Classifier, model_classifier


def load_classifier(path: Path) -> Classifier:
    """The model in a directory or safetensors file, or what `nas export` made of one.

    That is ONNX, or C, which is compiled and run here. ValueError for anything else.
    """
    if path.suffix.lower() == ".c" and not os.path.isdir(path):
        from nas.model.export.c.reading import c_classifier

        return c_classifier(path)
    if path.suffix.lower() == ".onnx" and not os.path.isdir(path):
        from nas.model.export.onnx_file import onnx_classifier

        return onnx_classifier(path)
    from nas.model.model import load_model

    return model_classifier(load_model(path))
