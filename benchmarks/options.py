"""How far the options of `nas run` travel: the modules that hand one on without making use of it.

An option is handed on where a function gives its own parameter of that name to another function, or
an attribute of that name of the values that options are gathered in (BAGS). What a study's settings
say is read from them where it is used, and not counted. `--root` counts another checkout.
"""

import argparse
import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

COMMAND = "run"
NOT_HANDED_ON = {"as_json", "quiet", "study", "storage", "trials"}
"""Names that mean other things too, or that a command must hand to what shows its results."""


BAGS = {"asked", "place", "until", "wanted"}
"""What variables are called that hold parsed options."""


def options(trees: dict[str, ast.Module]) -> list[str]:
    """The parameters of the command, wherever in nas/cli it is."""
    for name, tree in trees.items():
        for node in tree.body if name.startswith("nas.cli") else ():
            if (
                isinstance(node, ast.FunctionDef)
                and node.name == COMMAND
                and len(node.args.args) > 9
            ):
                return [one.arg for one in node.args.args if one.arg not in NOT_HANDED_ON]
    raise ValueError("there is no command run in nas/cli")


def handed_on(tree: ast.Module, names: set[str]) -> Iterator[str]:
    """Those of the names that functions of a module hand on, as often as they do."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        own = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)} & names
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                if isinstance(value, ast.Name) and value.id in own:
                    yield value.id
                elif (
                    isinstance(value, ast.Attribute)
                    and value.attr in names
                    and isinstance(value.value, ast.Name)
                    and value.value.id in BAGS
                ):
                    yield value.attr


def reached(trees: dict[str, ast.Module]) -> set[str]:
    """The modules of nas/ that the command imports, and what these import, to the last."""
    start = next(
        name
        for name, tree in trees.items()
        if name.startswith("nas.cli")
        and any(isinstance(n, ast.FunctionDef) and n.name == COMMAND for n in tree.body)
    )
    found: set[str] = set()
    left = [start]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        for node in ast.walk(trees[name]):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{one.name}" for one in node.names]
                left += [name if name in trees else node.module for name in names]
        left = [name for name in left if name in trees]
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    root = parser.parse_args().root
    trees = {}
    for path in sorted((root / "nas").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    wanted, inside = options(trees), reached(trees)
    by_module = {name: Counter(handed_on(trees[name], set(wanted))) for name in inside}
    modules: dict[str, set[str]] = defaultdict(set)
    for name, counts in by_module.items():
        for option in wanted:
            if counts[option]:
                modules[option].add(name)
    total = sum(counts[option] for counts in by_module.values() for option in wanted)
    through = sum(map(len, modules.values()))
    print("| option | modules | places |\n| --- | --- | --- |")
    for option in sorted(wanted, key=lambda one: -len(modules[one])):
        count = sum(counts[option] for counts in by_module.values())
        print(f"| {option} | {len(modules[option])} | {count} |")
    print(f"| **all {len(wanted)}** | **{through}** | **{total}** |")
    print(f"\n{len({m for ms in modules.values() for m in ms})} modules of {len(inside)} reached")


if __name__ == "__main__":
    main()
