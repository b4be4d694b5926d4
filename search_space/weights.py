"""The weights of torchvision's GoogLeNet under the names of the catalog's googlenet-torchvision."""

from collections.abc import Mapping
from typing import TypeVar

Weight = TypeVar("Weight")

BLOCKS = {
    "3": ("stage1", "ab"),
    "4": ("stage2", "abcde"),
    "5": ("stage3", "ab"),
}
STEM = {"conv1": "stem.first", "conv2": "stem.1x1", "conv3": "stem.3x3", "fc": "head.linear.1"}
BRANCHES = {
    "branch1": "1x1",
    "branch2.0": "3x3.reduce",
    "branch2.1": "3x3.1",
    "branch3.0": "5x5.reduce",
    "branch3.1": "5x5.1",
    "branch4.1": "pool.1x1",
}


def from_torchvision(weights: Mapping[str, Weight]) -> dict[str, Weight]:
    """``weights``, a state dict of torchvision's GoogLeNet, with our names.

    Weights of its auxiliary heads are left out. ValueError on any other name that it hasn't.
    torchvision's pretrained network rescales its images first (``transform_input``), which ours
    doesn't: give it pixels of 0..1 as 2x - 1.
    """
    names = STEM | {
        f"inception{number}{letter}.{branch}": f"{stage}.block{index}.{ours}"
        for number, (stage, letters) in BLOCKS.items()
        for index, letter in enumerate(letters, 1)
        for branch, ours in BRANCHES.items()
    }
    out: dict[str, Weight] = {}
    for name, weight in weights.items():
        if name.startswith(("aux1.", "aux2.")):
            continue
        module = next((module for module in names if name.startswith(f"{module}.")), None)
        if module is None:
            raise ValueError(f"weight {name!r} is not of torchvision's GoogLeNet; give its own")
        out[names[module] + name.removeprefix(module)] = weight
    return out
