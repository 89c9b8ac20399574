"""Does what the pages say, line by line, in a world of its own: paths, users and units are those of the test."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kewang.bench.process import find_program, wait_for
from tests.docs_examples.pages import fences_of

LIMIT_S: Final = 120.0
_KEWANG: Final = f"{shlex.quote(sys.executable)} -m kewang "
_SYSTEMCTL: Final = re.compile(r"systemctl (stop|start|restart) (.+)")


@dataclass
class Operator:
    """`places`: the page's paths -> the test's. `programs`: words of a command -> other words. `units`: what systemctl
    does, by `start NAME`."""

    places: Mapping[str, Path]
    programs: Mapping[str, str]
    units: Mapping[str, Callable[[], object]]
    environment: Mapping[str, str] = field(default_factory=dict)
    watched: str = ""
    """A command that the page says to repeat until it is content, by its first words."""
    said: list[str] = field(default_factory=list)
    """What the commands wrote to standard output."""

    def follow(self, page: Path, heading: str, *kinds: str) -> None:
        """Run the fences below a heading of the page: those of plain `sh`, and those of `kinds`."""
        for fence in fences_of(page, heading):
            if fence.kind in ("sh", *(f"sh {kind}" for kind in kinds)):
                self.run(fence.text.splitlines())

    def run(self, lines: Sequence[str]) -> None:
        """Each line in turn; raises CalledProcessError for one that fails."""
        for line in map(self.translated, lines):
            match = _SYSTEMCTL.fullmatch(line)
            if self.watched and line.startswith(self.translated(self.watched)):
                wait_for(lambda line=line: self._done(line).returncode == 0, LIMIT_S)  # type: ignore[misc]
            elif match is None:
                self._shell(line)
            else:
                for name in match[2].split():
                    self.units[f"{match[1]} {name.removesuffix('.service')}"]()

    def run_unit(self, unit: Path) -> None:
        """A oneshot unit: its environment and its ExecStart lines, in order, until one fails."""
        text = unit.read_text()
        told = dict(line.split("=", 1) for line in re.findall(r"^Environment=(.+)$", text, re.MULTILINE))
        given = {name: self.translated(value) for name, value in told.items()}
        before = self.environment
        self.environment = {**before, **given}
        try:
            self.run([line.replace("%%", "%") for line in re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)])
        finally:
            self.environment = before

    def translated(self, line: str) -> str:
        """The line as it is said here."""
        line = re.sub(r"\bsudo (-u kewang )?", "", line)
        line = line.replace("/opt/kewang/.venv/bin/kewang ", "kewang ").replace("/usr/bin/restic ", "restic ")
        own = f"{os.getuid()}:{os.getgid()}"
        line = line.replace("kewang:kewang", own).replace("-o kewang -g kewang", f"-o {os.getuid()} -g {os.getgid()}")
        for place in sorted(self.places, key=len, reverse=True):
            line = re.sub(rf"(?<![\w.]){re.escape(place)}(?![\w-])", str(self.places[place]), line)
        for words, others in self.programs.items():
            line = f"{others}{line[len(words) :]}" if line.startswith(f"{words} ") else line
        return re.sub("^kewang ", _KEWANG, line)

    def begin(self, line: str) -> subprocess.Popen[str]:
        """The line's one program begun, in a session of its own, as systemd would; our child, so its end is seen."""
        return subprocess.Popen(
            ["sh", "-ec", f"exec {self.translated(line)}"],
            env=self._surroundings(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _done(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-ec", line],
            env=self._surroundings(),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def _shell(self, line: str) -> None:
        done = self._done(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        self.said.append(done.stdout)

    def _surroundings(self) -> dict[str, str]:
        parts = str(find_program("influxd").absolute().parent)
        return {**os.environ, **self.environment, "PATH": f"{os.environ['PATH']}{os.pathsep}{parts}"}
