"""Images that a caller has in memory, in any of the usual forms, as one array with its labels."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from nas.datasets.found import DataError, listed, shown
from nas.datasets.split import Bytes

RULE = (
    "give uint8 values 0 to 255 as [H, W], [H, W, C], [N, H, W], [N, H, W, C] or [N, C, H, W], "
    "where C is 1 or 3"
)

IMAGE_NAMES, LABEL_NAMES = ("image", "img"), ("label", "labels", "fine_label", "class")
"""Under which a data set of dictionaries may have an image, and what it shows."""


class Labelled(NamedTuple):
    """Images [N, C, S, S] and labels [N], int64 indexes into the classes.

    ``named``: the classes have names, which whole numbers count; else these are names themselves.
    """

    pixels: Bytes
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    named: bool


def labelled(
    images: Any,
    labels: Any = None,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    like: Labelled | None = None,
) -> Labelled:
    """Return images and what they show, of what a caller has.

    images: one array, tensor or list; or, without ``labels``, a pair of images and labels, or a
        data set whose items are pairs, or dictionaries with an image and a label.
    labels: a name or a whole number each.
    classes: the names that numbers stand for, in their order; by default those that the data set
        has, or else the labels that there are, sorted.
    size: the side of the square in the middle, in pixels, that each image is resized to; by default
        images stay as large as they are.
    like: other images, whose classes these have.

    Raises DataError that says what can't be used.
    """
    if labels is None:
        images, labels, own = _taken_apart(images)
        classes = own if classes is None else classes
    found = np.asarray(labels)
    pixels = _pixels(images, size)
    if found.ndim != 1 or len(found) != len(pixels):
        raise DataError(
            f"labels are {list(found.shape)} and images {len(pixels):,}; give one label an image, "
            "a whole number or a name"
        )
    if like is not None:
        names, named = like.classes, like.named
    else:
        named = classes is not None
        names = _names(found) if classes is None else tuple(map(str, classes))
        _check_names(names)
    return Labelled(pixels, _indexes(found, names, named), names, named)


def _check_names(names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"classes have {listed(map(shown, twice))} twice; give each name once")
    if len(names) < 2:
        one = f"one class alone, {shown(names[0])}" if names else "no class"
        raise DataError(f"the labels are of {one}; give images of two at least")


def _taken_apart(data: Any) -> tuple[Any, Any, Sequence[str] | None]:
    """The images, the labels and, where it has some, the names of the classes of a data set."""
    if isinstance(data, tuple) and len(data) == 2:
        return *data, None
    if not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
        raise DataError(
            f"images are {type(data).__name__}; give arrays and their labels, or a data set with "
            "a length, whose items have an image and a label"
        )
    images, labels, label_name = [], [], ""
    for number in range(len(data)):
        item = data[number]
        if isinstance(item, Mapping):
            image_name = _name_in(item, IMAGE_NAMES, "image", number)
            label_name = _name_in(item, LABEL_NAMES, "label", number)
            item = (item[image_name], item[label_name])
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise DataError(
                f"item {number} of the data set is {type(item).__name__}; it must be an image and "
                "its label: give labels beside images that have none"
            )
        images.append(item[0])
        labels.append(item[1])
    return images, labels, _class_names(data, label_name)


def _name_in(item: Mapping[str, Any], known: Sequence[str], what: str, number: int) -> str:
    for name in known:
        if name in item:
            return name
    raise DataError(
        f"item {number} of the data set has {listed(map(str, item))}, and no {what} under "
        f"{' or '.join(known)}; give images and labels"
    )


def _class_names(data: Any, label_name: str) -> Sequence[str] | None:
    """As torchvision's data sets have them, or Hugging Face's."""
    if label_name:
        features = getattr(data, "features", None) or {}
        return getattr(features.get(label_name), "names", None)
    return getattr(data, "classes", None)


def _names(labels: npt.NDArray[Any]) -> tuple[str, ...]:
    return tuple(str(one) for one in np.unique(labels))


def _indexes(
    labels: npt.NDArray[Any], names: tuple[str, ...], named: bool
) -> npt.NDArray[np.int64]:
    """What number each label's class has; a number is that itself where classes are ``named``."""
    if labels.dtype.kind in "iu" and named:
        if wrong := sorted({int(one) for one in labels if not 0 <= one < len(names)}):
            raise DataError(
                f"labels have {listed(map(str, wrong))}, which "
                f"{'is' if len(wrong) == 1 else 'are'} none of the {len(names)} classes, "
                f"counted from 0"
            )
        return labels.astype(np.int64)
    if labels.dtype.kind not in "iuUSO":
        raise DataError(f"labels are {labels.dtype}; give a whole number or a name for each image")
    place = {name: index for index, name in enumerate(names)}
    if unknown := sorted({str(one) for one in labels} - place.keys()):
        raise DataError(
            f"labels have {listed(map(shown, unknown))}, and the classes are "
            f"{listed(map(shown, names))}"
        )
    return np.array([place[str(one)] for one in labels], np.int64)


def _pixels(images: Any, size: int | None) -> Bytes:
    """Uint8 [N, C, S, S] of an array or a list of images."""
    if not isinstance(images, Sequence):
        return _sized(square(in_order(_in_8_bits(_values(images)))), size)
    singles = [_sized(square(_one(image)), size) for image in images]
    sizes = sorted({one.shape[2] for one in singles})
    if len(sizes) > 1:
        raise DataError(
            f"the squares in the middle of the images are of {len(sizes)} sizes, from {sizes[0]} "
            f"to {sizes[-1]} pixels; give the size that all are resized to, such as "
            f"size={sizes[0]}"
        )
    channels = max((one.shape[1] for one in singles), default=1)
    same = [np.broadcast_to(one, (1, channels, *one.shape[2:])) for one in singles]
    found: Bytes = np.concatenate([np.empty((0, channels, *sizes * 2), np.uint8), *same])
    return found


def _values(images: Any) -> npt.NDArray[Any]:
    if isinstance(images, Image.Image) and images.mode not in ("L", "RGB"):
        images = images.convert("RGB")
    return np.asarray(images)


def _one(image: Any) -> Bytes:
    """One image as uint8 [1, C, H, W]: channels are last, as in arrays, or first, as in tensors."""
    found = _in_8_bits(_values(image))
    if found.ndim == 3 and not _channels(found, 2) and _channels(found, 0):
        found = found.transpose(1, 2, 0)
    if found.ndim not in (2, 3) or (found.ndim == 3 and not _channels(found, 2)):
        raise DataError(f"an image is {found.dtype} {list(found.shape)}; {RULE}")
    return in_order(found)


def _in_8_bits(found: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Fractions of 0 to 1, as torchvision's `ToTensor` makes them, as uint8; others as they are."""
    if found.dtype.kind != "f" or not found.size:
        return found
    least, most = float(found.min()), float(found.max())
    if not 0 <= least <= most <= 1:  # NaN too
        raise DataError(
            f"images have {found.dtype} values from {least:g} to {most:g}; give uint8 values 0 to "
            "255, or fractions from 0 to 1"
        )
    made: Bytes = np.rint(found * 255).astype(np.uint8)
    return made


def in_order(found: npt.NDArray[Any]) -> Bytes:
    """The array as uint8 [N, C, H, W]; DataError where it isn't one of images."""
    given = f"images are {found.dtype} {list(found.shape)}"
    if found.dtype != np.uint8:
        raise DataError(f"{given}; {RULE}")
    if found.ndim == 2:
        found = found[None, None]
    elif found.ndim == 3:
        found = found.transpose(2, 0, 1)[None] if _channels(found, 2) else found[:, None]
    elif found.ndim == 4 and _channels(found, 3):
        found = found.transpose(0, 3, 1, 2)
    if found.ndim != 4 or not _channels(found, 1) or 0 in found.shape[2:]:
        raise DataError(f"{given}; {RULE}")
    return found


def _channels(found: npt.NDArray[Any], axis: int) -> bool:
    return found.shape[axis] in (1, 3)


def square(found: Bytes) -> Bytes:
    """The middle of images [N, C, H, W]."""
    height, width = found.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return found[:, :, top : top + side, left : left + side]


def resized(found: Bytes, size: int, channels: int) -> Bytes:
    """Images [N, C, S, S] as [N, channels, size, size]."""
    from nas.datasets.arrays import images
    from nas.datasets.formats import Arrays

    arrays = Arrays(np.ascontiguousarray(found), np.zeros(len(found), np.uint8))
    read: Bytes = images(arrays, np.arange(len(found)), size, channels).pixels.numpy()
    return read


def _sized(found: Bytes, size: int | None) -> Bytes:
    return found if size in (None, found.shape[2]) else resized(found, size, found.shape[1])


def every_image(images: Any) -> Iterator[Bytes]:
    """Yield what is in an array, a tensor, a PIL image, or a list of them, as [N, C, S, S]."""
    if isinstance(images, Sequence):
        for one in images:
            yield from every_image(one)
    else:
        yield square(in_order(_values(images)))
