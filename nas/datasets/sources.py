"""DATASETS: the data sets by name, and finding and loading the images of one."""

import functools
import importlib
import os
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from nas.datasets.found import HELD_OUT, DataError, Found, PixelRange, Reading, listed, shown
from nas.datasets.images import Dataset, Images
from nas.datasets.membership import Members, Membership


class Reader(Protocol):
    """What a source's module has; see the functions here of the same names."""

    def find(self, name: str, data_dir: Path | None, pixel_range: PixelRange | None) -> Found: ...

    def load(self, reading: Reading) -> Dataset: ...

    def load_test(self, reading: Reading, digest: str) -> Images: ...


class OwnReader(Reader, Protocol):
    """What the module of a source of one's own images has beside."""

    def load_members(self, reading: Reading, known: Membership, part: str) -> Members: ...


TORCHVISION = "torchvision's download"
DEBIAN = "Debian's installed package"
APT = "Debian's package by apt-get"


@dataclass(frozen=True)
class Source:
    """A data set: its words for the help text, and the module that finds and reads it.

    classes, channels: of its images; none where only the images can say.
    torchvision: the class there that downloads it, and the options of each time it is called.
    files: path in torchvision's layout -> MD5, as torchvision has it, or SHA-256 where they are
        digests of ``unpacked`` files, which may be kept gzipped or not.
    routes: by which the files are fetched, in this order, names in `nas.datasets.download.ROUTES`.
    patience: seconds that a download may take. EMNIST has 562 MB, 450 s at 10 Mbit/s.
    room: what the cache takes at most.
    form: what they are, a name in `nas.datasets.formats.FORMATS`.
    mirrored: whether its images show the same in a mirror, as letters and digits don't.
    sizes: how many images are published for training and for the test.
    """

    words: str
    classes: tuple[str, ...] = ()
    channels: int = 0
    module: str = "nas.datasets.published"
    torchvision: tuple[str, tuple[Mapping[str, str], ...]] = ("", ())
    files: Mapping[str, str] = field(default_factory=dict)
    form: str = ""
    mirrored: bool = False
    sizes: tuple[int, int] = (0, 0)
    unpacked: bool = False
    routes: tuple[str, ...] = (TORCHVISION,)
    patience: float = 1800.0
    room: str = "600 MB"

    @property
    def reader(self) -> Reader:
        """Its module, imported when it is needed."""
        return cast(Reader, importlib.import_module(self.module))

    def summary(self, name: str, directory: str) -> str:
        """What there is of a published data set, in a line."""
        train, test = self.sizes
        return (
            f"{name}: {len(self.classes)} classes ({listed(self.classes)}), {train:,} images for "
            f"training, of which 1 in {HELD_OUT} of each class is held out for validation, and "
            f"{test:,} for the test; in {directory}"
        )


def _mnist(name: str, digests: tuple[str, str, str, str]) -> dict[str, str]:
    """The files of a data set in MNIST's form."""
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    paths = (f"{name}/raw/{part}-ubyte.gz" for part in parts)
    return dict(zip(paths, digests, strict=True))


CLOTHES = "t-shirt/top,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,ankle boot"
CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""

DATASETS: dict[str, Source] = {
    "fashion-mnist": Source(
        "10 kinds of clothes",
        tuple(CLOTHES.split(",")),
        1,
        "nas.datasets.fashion",
        ("FashionMNIST", ({},)),
        files={
            f"FashionMNIST/raw/{name}": digest
            for name, digest in (
                (
                    "train-images-idx3-ubyte",
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                ),
                (
                    "train-labels-idx1-ubyte",
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                ),
                (
                    "t10k-images-idx3-ubyte",
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                ),
                (
                    "t10k-labels-idx1-ubyte",
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                ),
            )
        },
        mirrored=True,
        sizes=(60_000, 10_000),
        unpacked=True,
        routes=(DEBIAN, TORCHVISION, APT),
        patience=300.0,
        room="60 MB",
    ),
    "mnist": Source(
        "digits",
        tuple(string.digits),
        1,
        torchvision=("MNIST", ({},)),
        files=_mnist(
            "MNIST",
            (
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "d53e105ee54ea40749a09fcbcd1e9432",
                "9fb629c4189551a2d022fa330f9573f3",
                "ec29112dd5afa0611ce80d1b7f02629c",
            ),
        ),
        form="mnist",
        sizes=(60_000, 10_000),
    ),
    "kmnist": Source(
        "hiragana",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        1,
        torchvision=("KMNIST", ({},)),
        files=_mnist(
            "KMNIST",
            (
                "bdb82020997e1d708af4cf47b453dcf7",
                "e144d726b3acfaa3e44228e80efcd344",
                "5c965bf0a639b31b8f53240b1b52f4d7",
                "7320c461ea6c1c855c0b718fb2a4b134",
            ),
        ),
        form="mnist",
        sizes=(60_000, 10_000),
    ),
    "emnist": Source(
        "digits and letters",
        (*string.digits, *string.ascii_uppercase, *"abdefghnqrt"),
        1,
        torchvision=("EMNIST", ({"split": "balanced"},)),
        files={"EMNIST/raw/gzip.zip": "58c8d27c78d21e728a6bc7b3cc06412e"},
        form="emnist",
        sizes=(112_800, 18_800),
    ),
    "cifar10": Source(
        "things and animals",
        tuple(CIFAR10.split()),
        3,
        torchvision=("CIFAR10", ({},)),
        files={
            "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
            "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
            "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
        },
        form="cifar",
        mirrored=True,
        sizes=(50_000, 10_000),
    ),
    "cifar100": Source(
        "100 kinds of them",
        tuple(CIFAR100.split()),
        3,
        torchvision=("CIFAR100", ({},)),
        files={
            "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
            "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        },
        form="cifar",
        mirrored=True,
        sizes=(50_000, 10_000),
    ),
    "svhn": Source(
        "house numbers",
        tuple(string.digits),
        3,
        torchvision=("SVHN", ({"split": "train"}, {"split": "test"})),
        files={
            "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
            "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
        },
        form="svhn",
        sizes=(73_257, 26_032),
    ),
    "folder": Source("your own, one folder a class", module="nas.datasets.folder"),
    "arrays": Source("your own, kept by nas.keep_images", module="nas.datasets.kept"),
}

FOLDER, KEPT = "folder", "arrays"
FROM_MEMORY = (
    "give the name of a data set; images that are in memory have one once nas.keep_images(images, "
    "labels) has kept them"
)
OWN = (FOLDER, KEPT)
"""Images of one's own: their names go on with a colon and a path."""


def source(name: str) -> Source:
    """Return the source of a data set as `--dataset` names it; ValueError if there is none."""
    if not isinstance(name, str):
        raise ValueError(f"dataset is {type(name).__name__}; {FROM_MEMORY}")
    kind, _, path = name.partition(":")
    if kind not in DATASETS or bool(path) != (kind in OWN):
        if os.path.isdir(os.path.expanduser(name)):
            raise ValueError(f"dataset is {name!r}; give a folder of images as {FOLDER}:{name}")
        raise ValueError(f"dataset is {name!r}; choose one of: {', '.join(map(typed, DATASETS))}")
    return DATASETS[kind]


def typed(kind: str) -> str:
    """Return how a data set of the table is asked for."""
    return f"{kind}:PATH" if kind in OWN else kind


def full_name(name: str) -> str:
    """Return the name of a data set as a study keeps it: its path, if it has one, is absolute."""
    source(name)
    kind, _, path = name.partition(":")
    return f"{kind}:{os.path.abspath(os.path.expanduser(path))}" if path else kind


def is_folder(name: str) -> bool:
    """Return whether that is a folder of images."""
    return source(name) is DATASETS[FOLDER]


def is_own(name: str) -> bool:
    """Return whether a data set is of one's own images, of which some may come or go."""
    return source(name) in (DATASETS[kind] for kind in OWN)


def find(name: str, data_dir: Path | None = None, pixel_range: PixelRange | None = None) -> Found:
    """Return the images of that data set, verified; fetched, and kept in the cache, if need be.

    With `data_dir` the original files are taken from there and from nowhere else. `pixel_range` is
    for a folder: the values of black and white in its images of more than 8 bits. Any number of
    processes may call this at once. Raises DataError where that can't be done.
    """
    if pixel_range is not None and not is_folder(name):
        raise DataError(f"{name} has images of 8 bits, so --pixel-range can't be; leave it out")
    return source(name).reader.find(full_name(name), data_dir, pixel_range)


@functools.lru_cache(maxsize=2)
def load(reading: Reading) -> Dataset:
    """Return the training and validation images that `find` found.

    The test images play no part in a search, and are not read. The last two results are kept.

    Raises DataError if a file is missing or malformed.
    """
    return source(reading.name).reader.load(reading)


def load_found(found: Found, resolution: int, channels: int) -> Dataset:
    """Return the training and validation images likewise; DataError if they have changed since."""
    dataset = load(found.reading(resolution, channels))
    if dataset.digest != found.digest:
        raise DataError(
            f"the images in {shown(found.directory)} have changed since they were looked through; "
            "leave them as they are while they are used, and begin again"
        )
    return dataset


def load_test(reading: Reading, digest: str = "") -> Images:
    """Return the test images likewise, for the figure that ends a project; no search reads them.

    With `digest` DataError if the data set is another one by now, whose test may have been trained
    on.
    """
    return source(reading.name).reader.load_test(reading, digest)


def load_members(reading: Reading, known: Membership, part: str) -> Members:
    """Return those of one's own images in a part that a model was not trained on.

    ``known`` says which were in which part then. There may be none.
    """
    return cast(OwnReader, source(reading.name).reader).load_members(reading, known, part)
