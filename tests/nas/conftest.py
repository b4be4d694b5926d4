"""What tests of commands share: `nas` in this process."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nas import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def nas_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`nas` in an empty directory, in this process: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nas", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        assert isinstance(code, int)
        return (code, *capsys.readouterr())

    return run
