"""What was found in a folder of images, in lines, for whoever is about to work on it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nas.datasets.found import HELD_OUT, PixelRange, listed, shown, told_apart
from nas.datasets.image import Look
from nas.datasets.layout import PARTS, Folder, LeftOut, Parts
from studies.wording import counted

MOST_CLASSES = 40
"""Classes of which each has a line."""

EXAMPLES = 3
"""Files that are named for each reason."""

FEW = 10
"""Training images of a class below which it is told of."""

UNEVEN = 10
"""So many times the images of the smallest class in the largest are told of."""


def summary(
    name: str, folder: Folder, parts: Parts, pixel_range: PixelRange | None
) -> Iterator[str]:
    """Yield lines: classes with their images, splits, sizes and modes, what was left out, why."""
    files = [file for part in PARTS for file in parts[part]]
    counts = Counter((file.label, part) for part in PARTS for file in parts[part])
    yield from of_classes(name, folder.layout.classes, counts)
    yield f"splits: {_splits(folder)}"
    yield from uneven(folder.layout.classes, counts)
    looks = [folder.looks[file.sha256] for file in files]
    yield from sizes_and_modes(looks, pixel_range)
    yield from left_out_words(folder.left_out, folder.layout.root)
    labels = defaultdict(set)
    for file in files:
        labels[file.sha256].add(file.label)
    if several := [file for file in files if len(labels[file.sha256]) > 1]:
        same = [file for file in several if file.sha256 == several[0].sha256]
        other = next(file for file in same if file.label != several[0].label)
        pair = " and ".join(
            shown(file.path.relative_to(folder.layout.root)) for file in (several[0], other)
        )
        different = len({file.sha256 for file in several})
        yield (
            f"note: {different:,} {'image is' if different == 1 else 'images are'} in more than "
            f"one class ({len(several):,} files, such as {pair}); each keeps all of its labels, "
            "in one part of the split: remove those that are wrong"
        )


def of_classes(
    name: str, classes: Sequence[str], counts: Mapping[tuple[int, str], int]
) -> Iterator[str]:
    """Yield lines on how many images of each class are in each part: by label and part."""
    total = sum(counts.values())
    yield f"{name}: {counted(total, 'image')} of {len(classes)} classes"
    names = [told_apart(classes)[one] for one in classes]
    width = max(len("class"), *map(len, names[:MOST_CLASSES]))
    yield f"  {'class':{width}}  {'train':>7}  {'val':>7}  {'test':>7}"
    for label, one in enumerate(names[:MOST_CLASSES]):
        cells = "".join(f"  {counts[label, part]:7,}" for part in PARTS)
        yield f"  {one:{width}}{cells}"
    if len(names) > MOST_CLASSES:
        rest = [sum(counts[label, part] for part in PARTS) for label in range(len(classes))]
        rest = rest[MOST_CLASSES:]
        yield f"  and {len(rest)} more, of {min(rest):,} to {max(rest):,} images each"


def uneven(classes: Sequence[str], counts: Mapping[tuple[int, str], int]) -> Iterator[str]:
    """Yield lines on classes with next to no images, and with many times those of another."""
    names = [told_apart(classes)[one] for one in classes]
    train = [counts[label, "train"] for label in range(len(names))]
    if few := [
        f"{name} ({count:,})" for name, count in zip(names, train, strict=True) if count < FEW
    ]:
        yield (
            f"note: {counted(len(few), 'class has', 'classes have')} fewer than {FEW} images for "
            f"training: {listed(few)}; what they look like can hardly be learned from so few"
        )
    if max(train) >= UNEVEN * min(train):
        most, least = names[train.index(max(train))], names[train.index(min(train))]
        yield (
            f"note: {most} has {max(train):,} images for training and {least} {min(train):,}: "
            "accuracy counts images, so it says little of the small classes"
        )


def gray_in_colour(looked_at: str) -> str:
    """A line on images in colour of which so many, or all, were looked at and are gray."""
    which = "all" if looked_at == "all" else f"the {looked_at} that were looked at"
    return (
        f"note: images are stored in colour, and {which} show gray: --channels 1 takes them as "
        "such, which is cheaper and as accurate"
    )


def _splits(folder: Folder) -> str:
    given = folder.layout.places
    held_out = [part for part in PARTS if part not in given]
    share = f"held out of train, 1 in {HELD_OUT} of each class, chosen by content"
    words = []
    if len(given) > 1 or given["train"] != folder.layout.root:
        words.append(", ".join(f"{part} is {shown(path.name)}" for part, path in given.items()))
    if held_out:
        words.append(f"{' and '.join(held_out)} {'are' if held_out[1:] else 'is'} {share}")
    return "; ".join(words)


def sizes_and_modes(looks: Sequence[Look], pixel_range: PixelRange | None) -> Iterator[str]:
    """Yield a line of the original sizes and modes of images, and of values beyond 8 bits."""
    sizes = sorted({(look.width, look.height) for look in looks}, key=lambda s: (s[0] * s[1], s))
    few = ", ".join(f"{width}x{height}" for width, height in sizes)
    smallest, largest = (f"{width}x{height}" for width, height in (sizes[0], sizes[-1]))
    of_sizes = few if len(sizes) <= EXAMPLES else f"{len(sizes)}, from {smallest} to {largest}"
    modes = Counter(f"{look.format} {look.mode}" for look in looks)
    of_modes = ", ".join(f"{count:,} {mode}" for mode, count in modes.most_common())
    yield f"sizes: {of_sizes}; formats and modes: {of_modes}"
    deep = [look.depth for look in looks if look.depth is not None]
    if deep:
        ranges = sorted({depth.range(pixel_range) for depth in deep})
        read = ", ".join(f"{low:g}:{high:g}" for low, high in ranges)
        least, most = min(one.least for one in deep), max(one.most for one in deep)
        yield (
            f"depth: {counted(len(deep), 'image has', 'images have')} more than 8 bits, with "
            f"values {least:g} to {most:g}, read as {read}"
        )
        outside = sum(
            one.least < one.range(pixel_range)[0] or one.most > one.range(pixel_range)[1]
            for one in deep
        )
        if outside:
            yield f"note: {outside:,} of them have values beyond that range, which are cut off"


def left_out_words(left_out: Sequence[LeftOut], root: Path) -> Iterator[str]:
    """Yield a line for each reason: how many files or folders, and some of them."""
    by_reason: dict[str, list[Path]] = defaultdict(list)
    for path, reason in left_out:
        by_reason[reason].append(path)
    for reason, paths in sorted(by_reason.items()):
        some = ", ".join(shown(path.relative_to(root)) for path in sorted(paths)[:EXAMPLES])
        more = f" and {len(paths) - EXAMPLES:,} more" if len(paths) > EXAMPLES else ""
        yield f"left out: {len(paths):,} {reason}: {some}{more}"
