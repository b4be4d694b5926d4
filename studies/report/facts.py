"""The facts of the run: settings, versions, machines, and what failed, with reasons."""

from collections import Counter, defaultdict

from studies.page import PageTable
from studies.report.content import Content
from studies.report.section import Block, Section, Words
from studies.wording import counted

MOST_NUMBERS = 8
MOST_REASONS = 50


def section(content: Content) -> Section:
    """Tables of facts, and of failures by their reason."""
    blocks: list[Block] = [
        PageTable(title, ("what", "value"), tuple(rows)) for title, rows in content.facts.items()
    ]
    if hosts := _hosts(content):
        blocks.append(hosts)
    blocks += _failures(content)
    return Section("facts", "Facts of the run", blocks)


def _hosts(content: Content) -> PageTable | None:
    own = {trial.key for trial in content.trials}
    counts = Counter(one.evaluation.host for one in content.evaluations if one.key in own)
    rows = tuple((host, f"{count:,}") for host, count in counts.most_common())
    return PageTable("Machines", ("host", "evaluations"), rows) if rows else None


def _failures(content: Content) -> list[Block]:
    reasons: dict[str, list[int]] = defaultdict(list)
    for trial in content.trials:
        if trial.state == "fail":
            reasons[trial.kept.failure or "no reason was written down"].append(trial.number)
    if not reasons:
        return [Words("No trial has failed.")]
    ordered = sorted(reasons.items(), key=lambda item: -len(item[1]))
    rows = []
    for reason, numbers in ordered[:MOST_REASONS]:
        more = ", ..." if len(numbers) > MOST_NUMBERS else ""
        shown = ", ".join(map(str, numbers[:MOST_NUMBERS]))
        rows.append((reason, f"{len(numbers):,}", f"{shown}{more}"))
    left = len(ordered) - len(rows)
    blocks: list[Block] = [PageTable("Failures", ("reason", "count", "trials"), tuple(rows))]
    return [*blocks, Words(f"Not listed: {counted(left, 'more reason')}.")] if left else blocks
