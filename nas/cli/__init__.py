"""The command line: parse, call, print. Heavy packages are imported inside the commands."""

import sys

import typer

from nas.cli import models, networks, reporting, searching

app = typer.Typer(
    help="Neural architecture search over the Inception design space.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    *searching.COMMANDS,
    *reporting.COMMANDS,
    *networks.COMMANDS,
    *models.COMMANDS,
):
    app.command()(command)


def main() -> None:
    """The console script: bad input is one line on standard error, and exit code 2."""
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except (typer.TyperException, ValueError) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
