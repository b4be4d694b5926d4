"""A short run's images/s against a hand-written loop doing the same, and against the plain recipe.

The plain recipe is what one writes first: Lightning, float32, NCHW, a DataLoader over
torchvision's dataset with per-image transforms. All train the same network with the same
optimizer on one thread, in turns.
"""

import argparse
import statistics
import time
from pathlib import Path

import lightning.pytorch as pl
import torch
from machine import row, table
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from nas.datasets import Batches, Dataset, find, load, order
from nas.datasets.found import Reading
from nas.memory import keep_freed
from nas.settings import Recipe
from nas.short_run.precision import best_precision
from nas.short_run.trainer import lightning_alone, make_trainer
from nas.short_run.training import fit, initialize
from search_space.architecture import Architecture, Block, Stage, Stem
from search_space.network import build

SMALL = Architecture(
    Stem(16, 3, 2),
    (
        Stage((Block(12, 8, 12, 4, 4, 4),) * 2),
        Stage((Block(24, 16, 24, 8, 8, 8),) * 2, "max-pool"),
        Stage((Block(24, 16, 24, 8, 8, 8),) * 2, "max-pool"),
    ),
    "conv-bn-relu",
)
MIDDLE = Architecture(
    Stem(16, 5, 1),
    (
        Stage((Block(12, 8, 16, 4, 8, 8),) * 2),
        Stage((Block(24, 16, 24, 8, 8, 8),) * 2, "max-pool"),
    ),
    "conv-bn-relu",
)


def network(architecture: Architecture) -> nn.Module:
    torch.manual_seed(0)
    made = build(architecture)
    initialize(made)
    return made


def ours(architecture: Architecture, data: Dataset, recipe: Recipe, budget: int) -> float:
    # its clock stops before it validates
    return budget / fit(network(architecture), data, recipe, 0.1, budget, 0).seconds


def by_hand(architecture: Architecture, data: Dataset, recipe: Recipe, budget: int) -> float:
    """The loop that one would write to be as fast as `fit` and no more."""
    made = network(architecture).to(memory_format=torch.channels_last)
    started = time.perf_counter()
    batches = Batches(data.train, order(len(data.train), budget, 0), recipe.batch_size)
    optimizer = torch.optim.SGD(
        made.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=True,
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.learning_rate,
        len(batches),
        pct_start=recipe.warmup,
        cycle_momentum=False,
    )
    made.train()
    for pixels, labels in batches:
        x = pixels.to(torch.float32).sub_(255 * data.mean[0]).div_(255 * data.std[0])
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16"):
            logits = made(x)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=0.1)
        if not torch.isfinite(loss):
            raise ArithmeticError
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return budget / (time.perf_counter() - started)


class Plain(pl.LightningModule):
    """The first LightningModule that one would write."""

    def __init__(self, made: nn.Module, recipe: Recipe, steps: int) -> None:
        super().__init__()
        self.made, self.recipe, self.steps = made, recipe, steps

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        del index
        pixels, labels = batch
        return F.cross_entropy(self.made(pixels), labels, label_smoothing=0.1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            self.parameters(), self.recipe.learning_rate, self.recipe.momentum, nesterov=True
        )


def plain(
    architecture: Architecture, root: Path, data: Dataset, recipe: Recipe, budget: int
) -> float:
    to_input = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(data.mean, data.std)]
    )
    images = datasets.FashionMNIST(str(root), train=True, transform=to_input)
    loader = DataLoader(Subset(images, range(budget)), recipe.batch_size, shuffle=True)
    run = Plain(network(architecture), recipe, len(loader))
    with lightning_alone():
        trainer = make_trainer(
            "float32", None, accelerator="cpu", max_epochs=1, enable_checkpointing=False
        )
        started = time.perf_counter()
        trainer.fit(run, loader)
        return budget / (time.perf_counter() - started)


def torchvision_root(directory: Path, scratch: Path) -> Path:
    """A root in torchvision's layout that links to our files."""
    raw = scratch / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in directory.iterdir():
        (raw / file.name).symlink_to(file)
    return scratch


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=3200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed()  # the loops have what `fit` has
    directory = find("fashion-mnist").directory
    data = load(Reading("fashion-mnist", directory, 28, 1))
    recipe = Recipe(precision=best_precision())
    rows, ratios = [], []
    with tempfile.TemporaryDirectory() as scratch:
        root = torchvision_root(Path(directory), Path(scratch))
        for name, architecture in (("small", SMALL), ("middle", MIDDLE)):
            speeds: dict[str, list[float]] = {"fit": [], "by hand": [], "plain": []}
            for number in range(arguments.rounds + 1):
                budget = arguments.budget
                turn = {
                    "fit": ours(architecture, data, recipe, budget),
                    "by hand": by_hand(architecture, data, recipe, budget),
                    "plain": plain(architecture, root, data, recipe, budget),
                }
                if number:  # the first round warms up
                    for which, speed in turn.items():
                        speeds[which].append(speed)
            rows += [
                row(f"{name}, {which}", values, "images/s") for which, values in speeds.items()
            ]
            for other in ("by hand", "plain"):
                pairs = zip(speeds["fit"], speeds[other], strict=True)
                ratio = [mine / its for mine, its in pairs]
                rows.append(row(f"{name}, fit / {other}", ratio, "times"))
                ratios.append(statistics.median(ratio))
    table(rows)
    print(f"precision {recipe.precision}, batches of {recipe.batch_size}, one thread")


if __name__ == "__main__":
    main()
