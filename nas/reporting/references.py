"""REFERENCES: results of other networks on a data set, to compare a front with, and their sources.

.. [Xiao2017] H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, arXiv:1708.07747; the list of
   benchmarks is in the data set's own repository, zalandoresearch/fashion-mnist.
"""

from typing import NamedTuple

LISTED = (
    "the data set's own list of benchmarks (Xiao 2017), as submitted, not repeated here: test "
    "accuracy of a full training"
)
MEASURED = "validation accuracy after a short run of as many images (benchmarks/README.md)"


class Published(NamedTuple):
    """A published result: accuracy (0..1), and parameters where they are published with it."""

    accuracy: float
    params: int | None
    source: str


PUBLISHED: dict[str, dict[str, Published]] = {
    "fashion-mnist": {
        "2 conv layers": Published(0.922, 113_000, LISTED),
        "GoogLeNet": Published(0.937, None, LISTED),
        "VGG16": Published(0.935, 26_000_000, LISTED),
        "DenseNet-BC": Published(0.954, 768_000, LISTED),
        "WRN-40-4": Published(0.967, 8_900_000, LISTED),
    }
}
"""Results of others by data set and name ([Xiao2017]_): none of them is of this tool's recipe."""

SHORT_RUNS: dict[tuple[str, int, int], dict[str, float]] = {
    ("fashion-mnist", 28, 20_000): {"googlenet-28": 0.8461, "inception-28": 0.89},
    ("fashion-mnist", 28, 80_000): {"inception-28": 0.9246},
}
"""What networks of the catalog reach by data set, resolution and budget, measured with the default
recipe: at 20,000 images the median of three seeds, at 80,000 one, in float32. The one comparison
with a front that is like with like (benchmarks/README.md).
"""
