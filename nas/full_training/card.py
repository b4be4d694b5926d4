"""The model card: what a trained network is, how it was trained and how good it is."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nas.full_training.curve import Epoch
from nas.full_training.job import Job
from nas.model.metadata import ModelMetadata
from nas.model.scores import Scores
from nas.short_run.evaluation import versions
from search_space.cost import cost
from search_space.words import describe
from studies.wording import counted


def card_json(
    name: str,
    job: Job,
    metadata: ModelMetadata,
    curve: Sequence[Epoch],
    validation: Scores | None,
    test: Scores,
    in_8_bits: float | None = None,
) -> dict[str, Any]:
    """The card as JSON data; ``in_8_bits`` is the test accuracy in 8-bit integers."""
    architecture = job.candidate.architecture
    total = cost(architecture, job.resolution, job.channels, len(metadata.classes))
    return {
        "name": name,
        "architecture": describe(job.candidate),
        "job": job.whole_json(),
        "recipe": asdict(job.recipe),
        "classes": list(metadata.classes),
        "params": total.params,
        "flops": total.flops,
        "activation_bytes": total.activation_bytes,
        "key": job.candidate.key,
        "test": test.to_json(),
        "validation": validation.to_json() if validation else None,
        "test_accuracy_int8": in_8_bits,
        "curve": [asdict(epoch) for epoch in curve],
        "seconds": round(sum(epoch.seconds for epoch in curve), 1),
        "host": platform.node(),
        "versions": versions(),
    }


def card_words(card: dict[str, Any]) -> str:
    """The card as Markdown."""
    job, test = card["job"], card["test"]
    held_out = "held out" if card["validation"] else "among them"
    lines = [
        f"# {_plain(card['name'])}",
        "",
        f"A network of the Inception design space: {card['architecture']}.",
        "",
        "| what | |",
        "| --- | --- |",
        f"| test accuracy | {_accuracy(test)}, of {counted(test['images'], 'image')} |",
    ]
    if (balanced := test.get("balanced_accuracy")) is not None:
        lines.append(f"| test accuracy, balanced over classes | {balanced:.2%} |")
    if (integers := card.get("test_accuracy_int8")) is not None:
        lines.append(f"| test accuracy in 8-bit integers | {integers:.2%} |")
    if card["validation"]:
        lines.append(f"| validation accuracy | {_accuracy(card['validation'])} |")
    lines += [
        f"| test loss | {test['loss']:.4f} |",
        f"| calibration error | {test['calibration_error']:.2%} |",
        f"| parameters | {card['params']:,} |",
        f"| FLOPs of an image | {card['flops']:,} |",
        f"| activations | {card['activation_bytes']:,} bytes |",
        f"| images | {_plain(job['dataset'])}, {job['channels']}x{job['resolution']}x"
        f"{job['resolution']} |",
        f"| trained on | {job['train_size']:,} images, {counted(job['epochs'], 'epoch')}, "
        f"validation images {held_out} |",
        f"| seconds of training | {card['seconds']:,.0f} on {_plain(card['host'])} |",
        f"| precision, threads, seed | {job['precision']}, {job['threads']}, "
        f"{job.get('seed', 0)} |",
        "",
        "Intervals are Wilson's at 95 %. The test images were read once, after training.",
        "",
        "| class | images | accuracy | interval |",
        "| --- | --- | --- | --- |",
    ]
    for one in test["per_class"]:
        accuracy = "" if one["accuracy"] is None else f"{one['accuracy']:.2%}"
        low, high = one["interval"]
        lines.append(
            f"| {_plain(one['class'])} | {one['images']:,} | {accuracy} | {low:.2%} to {high:.2%} |"
        )
    names = [_plain(name) for name in card["classes"]]
    lines += ["", "Confusion, a row for each true class and a column for each predicted one:", ""]
    lines += [f"| | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    lines += [
        f"| {name} | {' | '.join(map(str, row))} |"
        for name, row in zip(names, test["confusion"], strict=True)
    ]
    recipe = ", ".join(
        f"{name.replace('_', ' ')} {_short(v)}" for name, v in card["recipe"].items()
    )
    packages = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    lines += ["", f"Recipe: {recipe}.", "", f"Versions: {packages}."]
    return "\n".join(lines) + "\n"


def _accuracy(scores: dict[str, Any]) -> str:
    low, high = scores["interval"]
    return f"{scores['accuracy']:.2%} ({low:.2%} to {high:.2%})"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in a table's cell too."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|" else c for c in " ".join(text.split()))
