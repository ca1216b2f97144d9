"""The command line as Go's `flag` package reads and explains it (manual 4.5; product.md 5)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SEVERITIES = ("INFO", "WARNING", "ERROR", "FATAL")
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


class Stop(Exception):
    """The program ends here: with this text on standard error, and this exit status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Place:
    """A file and line: `-log_backtrace_at file.py:12`."""

    file: str = ""
    line: int = 0


Modules = tuple[tuple[str, int], ...]


def _boolean(text: str) -> bool:
    if text in _TRUE + _FALSE:
        return text in _TRUE
    raise ValueError("parse error")


def _level(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,3}", text, re.ASCII):
        return int(text)
    raise ValueError("parse error")


def _threads(text: str) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) else 0
    if number < 1:
        raise ValueError("1 to 999 are allowed")
    return number


def _severity(text: str) -> int:
    name = text.upper()
    if name in SEVERITIES:
        return SEVERITIES.index(name)
    if text.isascii() and text.isdigit() and int(text) < len(SEVERITIES):
        return int(text)
    raise ValueError(f"allowed are {', '.join(SEVERITIES)}")


def _modules(text: str) -> Modules:
    pairs = [part.partition("=") for part in text.split(",") if part]
    if any(not pattern or not level.isdigit() for pattern, _, level in pairs):
        raise ValueError("syntax error: expect comma-separated list of filename=N")
    return tuple((pattern, int(level)) for pattern, _, level in pairs)


def _place(text: str) -> Place:
    file, _, line = text.rpartition(":")
    if text and (not file or not line.isdigit()):
        raise ValueError("syntax error: expect file:line")
    return Place(file, int(line)) if text else Place()


def _switch(name: str, text: str) -> bool:
    made: bool = _flag(name, "", False, _boolean, text)  # noqa: FBT003  a default, not a mode
    return made


def _flag(name: str, word: str, default: object, read: Callable[[str], object], text: str) -> Any:  # noqa: ANN401
    """Describe a flag: `word` stands for its value in the help, "" for a boolean."""
    return field(default=default, metadata={"name": name, "word": word, "read": read, "help": text})


@dataclass(frozen=True)
class Flags:
    """Everything that the command line can say, and its defaults."""

    about: bool = _switch("about", "Show the information about this binary.")
    also_stderr: bool = _switch("alsologtostderr", "log to standard error as well as files")
    driver: str = _flag(
        "flex-volume-driver-name", "string", "inspur/instorage-flexvolume", str,
        "The flex volume driver name to be set when create a new PV.",
    )  # fmt: skip
    insecure: bool = _switch("insecure", "Do not check the certificate of the API server. For tests only.")
    kubefconfig: str = _flag(
        "kubefconfig", "string", "", str, "The same as -kubeconfig, as the manual's examples spell it."
    )
    kubeconfig: str = _flag(
        "kubeconfig", "string", "", str,
        "Absolute path to the kubeconfig file. Needs to be set if the provisioner is running out of cluster.",
    )  # fmt: skip
    backtrace_at: Place = _flag(  # noqa: RUF009  a field
        "log_backtrace_at", "value", Place(), _place, "when logging hits line file:N, emit a stack trace"
    )
    log_dir: str = _flag("log_dir", "string", "", str, "If non-empty, write log files in this directory")
    to_stderr: bool = _switch("logtostderr", "log to standard error instead of files")
    provisioner: str = _flag(
        "provisioner-name", "string", "inspur/instorage", str, "Set the provisioner name of this plugin."
    )
    sample: bool = _switch("samplecfg", "Generate the sample storage config.")
    stderr_threshold: int = _flag(
        "stderrthreshold", "value", 2, _severity, "logs at or above this threshold go to stderr"
    )
    storage: str = _flag(
        "strconfig", "string", "", str,
        "Absolute path to the storage config file, if not set, the config/instorage.yaml in the same fold of "
        "this binary will be used.",
    )  # fmt: skip
    threads: int = _flag(
        "threads", "int", 24, _threads, "Claims and volumes that are worked on at the same time."
    )
    verbosity: int = _flag("v", "value", 0, _level, "log level for V logs")
    modules: Modules = _flag(  # noqa: RUF009  a field
        "vmodule",
        "value",
        (),
        _modules,
        "comma-separated list of pattern=N settings for file-filtered logging",
    )

    def configuration(self, program: Path) -> Path:
        """Return the storage configuration: the one named, or the one beside the program."""
        return Path(self.storage) if self.storage else beside(program)

    @property
    def access(self) -> Path | None:
        """The kubeconfig; None: the service account of the pod."""
        named = self.kubeconfig or self.kubefconfig
        return Path(named) if named else None


def beside(program: Path) -> Path:
    """Return the configuration in the program's folder, by whatever link it was started."""
    return program.resolve().parent / "config" / "instorage.yaml"


_BY_NAME = {str(known.metadata["name"]): known for known in fields(Flags)}


def parse(program: str, arguments: Sequence[str]) -> Flags:
    """Read the arguments as Go does: `-f v`, `-f=v`, two dashes too; the first plain word ends them.

    `Stop` for `-h` (status 0) and for what cannot be read (status 2), with the text for standard error.
    """
    found: dict[str, object] = {}
    waiting = list(arguments)
    while waiting and re.match(r"-.", waiting[0]) and waiting[0] != "--":
        given = waiting.pop(0)
        word = given[2:] if given.startswith("--") else given[1:]
        if word.startswith(("-", "=")):
            raise Stop(f"bad flag syntax: {given}\n{usage(program)}", 2)
        name, equals, text = word.partition("=")
        if name in ("h", "help"):
            raise Stop(usage(program), 0)
        known = _BY_NAME.get(name)
        if known is None:
            raise Stop(f"flag provided but not defined: -{name}\n{usage(program)}", 2)
        boolean = known.metadata["word"] == ""
        if not equals and not boolean:
            if not waiting:
                raise Stop(f"flag needs an argument: -{name}\n{usage(program)}", 2)
            text = waiting.pop(0)
        found[known.name] = _read(program, name, text if equals or not boolean else "true")
    return Flags(**found)  # type: ignore[arg-type]


def _read(program: str, name: str, text: str) -> object:
    known = _BY_NAME[name]
    try:
        return known.metadata["read"](text)
    except ValueError as error:
        kind = "boolean value" if known.metadata["word"] == "" else "value"
        said = f'invalid {kind} "{text}" for flag -{name}: {error}'
        raise Stop(f"{said}\n{usage(program)}", 2) from None


def usage(program: str) -> str:
    """Return the help in the layout of Go's PrintDefaults."""
    return "\n".join((f"Usage of {program}:", *_lines())) + "\n"


def _lines() -> Iterator[str]:
    for name in sorted(_BY_NAME):
        known = _BY_NAME[name]
        word = known.metadata["word"]
        default = ""
        if word == "string" and known.default:
            default = f' (default "{known.default}")'
        elif word == "int":
            default = f" (default {known.default})"
        yield f"  -{name} {word}".rstrip()
        yield f"    \t{known.metadata['help']}{default}"
