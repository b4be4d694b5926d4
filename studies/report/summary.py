"""The report's first words: what was searched, and the result, in two sentences with figures."""

from studies.report.content import Content, quantity
from studies.report.section import Section, Words
from studies.wording import REPLAY_WORDS, counted


def section(content: Content) -> Section:
    """Two sentences; a third where the study still runs."""
    words = f"{searched(content)} {found(content)}"
    if content.replayed:
        words = f"{REPLAY_WORDS} {words}"
    return Section("summary", "In short", [Words(words)])


def searched(content: Content) -> str:
    """What was searched, and what became of its trials."""
    states = content.results.states
    untrained = sum(bool(trial.over) for trial in content.trials if trial.state == "pruned")
    counts = {
        "completed": states.get("complete", 0) - content.results.repeats,
        "repeated with another seed": content.results.repeats,
        "stopped early": states.get("pruned", 0) - untrained,
        "over a limit and not trained": untrained,
        "failed": states.get("fail", 0),
        "not finished": states.get("running", 0) + states.get("waiting", 0),
    }
    named = [f"{count:,} {word}" for word, count in counts.items() if count]
    ended = ", ".join(named) or "none has begun"
    total = len(content.trials)
    return f"{content.searched}, with {counted(total, 'trial')}: {ended}."


def found(content: Content) -> str:
    """The front's ends, and its hypervolume."""
    front = content.front
    if not front:
        return "No trial has completed yet, so there is no front."
    spans = []
    for place, axis in enumerate(content.axes):
        values = [result.values[place] for result in front]
        ends = sorted({min(values), max(values)})
        shown = " to ".join(axis.shown(end) for end in ends)
        spans.append(f"{axis.name} {shown}")
    best = ""
    names = [axis.name for axis in content.axes]
    if "accuracy" in names and len(front) > 1:
        place = names.index("accuracy")
        top = max(front, key=lambda result: result.values[place])
        most = quantity(content.axes[place], top.values[place])
        best = (
            f"; the most accurate, trial {top.number}, has {most} "
            f"with {top.params:,} parameters and {top.flops:,} FLOPs"
        )
    members = "one network" if len(front) == 1 else f"{len(front)} networks"
    return (
        f"The Pareto front has {members} ({'; '.join(spans)}){best}; its hypervolume is "
        f"{content.results.hypervolume():.3f}."
    )
