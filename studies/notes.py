"""What Optuna Dashboard says of a study and of its trials: notes in Markdown, made of plain data.

Whatever comes from names, attributes and errors stands in code, where Markdown interprets nothing.
A note ends with its own digest, which no reader shows: one that somebody has edited stays theirs.
"""

import hashlib
import re

from studies.report.content import Content, quantity
from studies.report.summary import found, searched
from studies.trials import Trial

MARK = "\n\n[//]: # (nas "


def study_note(content: Content, about: dict[str, str]) -> str:
    """What was searched, what was found, where to look; ``about`` are named facts."""
    lines = [f"# {code(content.study)}", "", prose(f"{searched(content)} {found(content)}"), ""]
    lines += [f"- {prose(name)}: {code(value)}" for name, value in about.items()]
    if best := [one for one in content.best("params") if one.result]:
        lines += ["", "The most accurate network up to each number of parameters:", ""]
    for one in best:
        assert one.result is not None
        shown, known = f"{one.accuracy(content.results) or 0:.2%}", one.estimate
        if known:
            shown += f" ({known.low:.2%} to {known.high:.2%})"
        said = f"up to {one.limit:,}: {shown}, trial {one.result.number}"
        lines.append(
            f"- {prose(said)}: {code(f'nas train {one.result.number} {content.options()}')}"
        )
    lines += [
        f"- {count:,} failed: {code(reason)}" for reason, count in content.results.failures.items()
    ]
    lines += [
        "",
        "The plot *pareto-front* among the graphs shows every completed trial. Each trial of the "
        "front has a note of its own: its architecture, cost, rungs, layers and command.",
        "",
        "One page that explains the study:",
        "",
        fenced(f"nas report {content.options()}", "sh"),
    ]
    return "\n".join(lines)


def trial_note(content: Content, trial: Trial, layers: str = "") -> str:
    """A completed trial: architecture in words, cost, rungs, layers as text, its command."""
    member = trial.key in {result.key for result in content.front}
    place = "on the Pareto front" if member else "no longer on the Pareto front"
    lines = [f"# Trial {trial.number}, {place}", "", code(trial.kept.architecture), ""]
    told = {axis.name for axis in content.axes}
    for axis, value in zip(content.axes, trial.values, strict=False):
        lines.append(f"- {prose(f'{axis.name}: {quantity(axis, value)}')}")
    if trial.kept.repeat:
        lines.append(f"- repeat {trial.kept.repeat} of its candidate, with another seed")
    for name in ("params", "flops"):
        if name in trial.kept.costs and name not in told:
            lines.append(f"- {name}: {trial.kept.costs[name]:,}")
    for budget, accuracy in zip(content.budgets, trial.rungs, strict=False):
        lines.append(f"- accuracy at {budget:,} images: {accuracy:.2%}")
    lines += [f"- seconds of evaluation: {trial.seconds:,.1f}", ""]
    if layers:
        lines += [fenced(layers), ""]
    command = f"nas train {trial.number} {content.options()}"
    lines += ["The command that trains it to the end:", "", fenced(command, "sh")]
    return "\n".join(lines)


def signed(body: str) -> str:
    """A note with its digest below."""
    return f"{body}{MARK}{_digest(body)})\n"


def ours(note: str) -> bool:
    """Whether a note was written by `signed` and not edited since."""
    body, _, last = note.rpartition(MARK)
    return bool(body) and last.strip() == f"{_digest(body)})"


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "replace")).hexdigest()[:16]


def prose(text: str) -> str:
    """A text escaped, so that Markdown shows it literally."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def code(text: str) -> str:
    """Any text as code in a line: links, math and HTML are not seen in there."""
    line = " ".join(text.split()) or " "
    ticks = "`" * (_longest(line) + 1)
    return f"{ticks} {line} {ticks}" if "`" in line else f"{ticks}{line}{ticks}"


def fenced(text: str, language: str = "") -> str:
    """Any text as a block of code."""
    fence = "`" * max(3, _longest(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest(text: str) -> int:
    """The length of the longest row of backticks in a text."""
    return max(map(len, re.findall("`+", text)), default=0)
