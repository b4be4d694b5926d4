"""How far the options of `nas run` travel: the modules in which a call is given one.

Beginning with the parameters of the command, an option is followed from each call that is given it
(or something computed from it alone) to the parameter of the function or the field of the dataclass
that takes it, wherever that is in nas/, and so on; and from each field to where it is read of such
an object and given to another call. What a study's `Settings` say is the study's, and not followed
any further. A module counts once for each option that a call in it is given. `--root` counts
another checkout.
"""

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COMMAND = "run"
NOT_COUNTED = {"as_json", "quiet", "study", "storage", "trials"}
"""Which study it is and what is printed of it: any command has these."""

ENDS = {"Settings"}
"""Classes whose fields are no options any more."""


class Place(NamedTuple):
    """A variable that holds an option: a parameter of a function, or a field of a class."""

    module: str
    owner: str
    name: str


class Code:
    """The functions and dataclasses of nas/, by their names."""

    def __init__(self, root: Path) -> None:
        self.functions: dict[str, list[tuple[str, ast.FunctionDef]]] = defaultdict(list)
        self.fields: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
        self.imports: dict[str, set[tuple[str | None, str]]] = defaultdict(set)
        for path in sorted((root / "nas").rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    self.imports[module] |= {(node.module, one.name) for one in node.names}
                elif isinstance(node, ast.FunctionDef):
                    self.functions[node.name].append((module, node))
                elif isinstance(node, ast.ClassDef):
                    names = [
                        one.target.id
                        for one in node.body
                        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
                    ]
                    self.fields[node.name].append((module, names))

    def command(self) -> tuple[str, ast.FunctionDef]:
        """The command, which has the most parameters of its name."""
        found = self.functions[COMMAND]
        return max(found, key=lambda one: len(one[1].args.args))

    def ends(self, call: ast.Call) -> bool:
        """Whether what a call gives is something of which an option is a part no more."""
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        returned = [ast.unparse(one.returns) for _, one in self.functions[name] if one.returns]
        return name in ENDS or any(end in text for end in ENDS for text in returned)


def taken(code: Code, call: ast.Call) -> Iterator[tuple[ast.expr, Place]]:
    """Each argument of a call, with the parameters or fields that may take it."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    for module, function in code.functions[name]:
        names = [one.arg for one in function.args.args if one.arg not in ("self", "cls")]
        known = {*names, *(one.arg for one in function.args.kwonlyargs)}
        for value, parameter in zip(call.args, names, strict=False):
            yield value, Place(module, name, parameter)
        for keyword in call.keywords:
            if keyword.arg in known:
                yield keyword.value, Place(module, name, keyword.arg)
    for module, names in code.fields[name]:
        for value, field in zip(call.args, names, strict=False):
            yield value, Place(module, f"class {name}", field)
        for keyword in call.keywords:
            if keyword.arg in names:
                yield keyword.value, Place(module, f"class {name}", keyword.arg)


def follow(code: Code, option: str) -> set[str]:
    """The modules in which a call is given that option."""
    module, function = code.command()
    left = [Place(module, function.name, option)]
    seen: set[Place] = set()
    out: set[str] = set()
    while left:
        place = left.pop()
        if place in seen:
            continue
        seen.add(place)
        if place.owner.startswith("class "):
            if place.owner.removeprefix("class ") in ENDS:
                continue
            name = place.owner.removeprefix("class ")
            bodies = [
                (where, one)
                for found in code.functions.values()
                for where, one in found
                if where == place.module or (place.module, name) in code.imports[where]
            ]
        else:
            found = code.functions[place.owner]
            bodies = [(name, one) for name, one in found if name == place.module]
        for name, body in bodies:
            held = Held(code, place, body)
            for call in (node for node in ast.walk(body) if isinstance(node, ast.Call)):
                values = [*call.args, *(keyword.value for keyword in call.keywords)]
                if any(held.is_it(value) for value in values):
                    out.add(name)
                left += [to for value, to in taken(code, call) if held.is_it(value)]
    return out


class Held:
    """Which expressions of a function are the value of an option, or computed from it alone."""

    def __init__(self, code: Code, place: Place, body: ast.FunctionDef) -> None:
        self.code = code
        self.field = place.name if place.owner.startswith("class ") else ""
        self.of = place.owner.removeprefix("class ").lower()
        self.names = set() if self.field else {place.name}
        self.objects = {
            one.arg
            for one in (*body.args.args, *body.args.kwonlyargs)
            if one.annotation is not None and self.of in ast.unparse(one.annotation).lower()
        }
        for node in ast.walk(body):
            if isinstance(node, ast.Assign) and self.is_it(node.value):
                self.names |= {one.id for one in node.targets if isinstance(one, ast.Name)}

    def is_it(self, value: ast.expr) -> bool:
        """Whether an expression is the option."""
        if isinstance(value, ast.Name):
            return value.id in self.names
        if isinstance(value, ast.Attribute) and self.field == value.attr:
            return isinstance(value.value, ast.Name) and value.value.id in self.objects
        if isinstance(value, ast.IfExp):
            return self.is_it(value.body) or self.is_it(value.orelse)
        if isinstance(value, ast.BoolOp):
            return any(self.is_it(one) for one in value.values)
        if isinstance(value, ast.Dict):
            return any(self.is_it(one) for one in value.values)
        if isinstance(value, ast.Call) and not self.code.ends(value):
            return any(self.is_it(one) for one in value.args)
        return False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    code = Code(parser.parse_args().root)
    _, function = code.command()
    options = [one.arg for one in function.args.args if one.arg not in NOT_COUNTED]
    found = {option: follow(code, option) for option in options}
    print("| option | modules | which |\n| --- | --- | --- |")
    for option in sorted(options, key=lambda one: -len(found[one])):
        print(f"| {option} | {len(found[option])} | {', '.join(sorted(found[option]))} |")
    every = set().union(*found.values())
    print(
        f"| **all {len(options)}** | **{sum(map(len, found.values()))}** | {len(every)} modules |"
    )


if __name__ == "__main__":
    main()
