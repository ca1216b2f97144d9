"""The array's restricted shell: one exec request becomes a list of commands, quoted as bash quotes.

Words are split at blanks; single quotes, double quotes and backslash work as in bash; `;` and newline end a
command, `&&` and `||` make the next one conditional, `#` begins a comment. Whatever else would need a whole
shell (pipes, redirection, substitution, background) is refused loudly: a client that lets user text
reach the array unquoted must fail visibly here, or run the injected command after `;` as the array would.
"""

from dataclasses import dataclass
from enum import Enum

BLANKS = " \t\r"
REFUSED = "|&<>()`$"


class ShellSyntaxError(ValueError):
    """The line is no command line; the array's shell ends with status 2."""


class When(Enum):
    """On what a command of a batch depends: on nothing, or on the exit status of the one before it."""

    ALWAYS = ";"
    SUCCESS = "&&"
    FAILURE = "||"


@dataclass(frozen=True)
class Invocation:
    """One command of a line: its words (the first is the program's name) and its condition."""

    words: tuple[str, ...]
    when: When


def split(line: str) -> list[Invocation]:
    """Split an exec request into its commands; raises ShellSyntaxError."""
    return _Reader(line).read()


class _Reader:
    """One pass over the characters of a line."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0
        self._words: list[str] = []
        self._word: list[str] | None = None  # None: between words (an empty quoted word is a word)
        self._when = When.ALWAYS
        self._done: list[Invocation] = []

    def read(self) -> list[Invocation]:
        while self._at < len(self._line):
            self._step()
        self._end_command()
        if self._when is not When.ALWAYS:
            raise ShellSyntaxError("syntax error: unexpected end of file")
        return self._done

    def _step(self) -> None:
        pair = self._line[self._at : self._at + 2]
        char = pair[0]
        if pair in (When.SUCCESS.value, When.FAILURE.value):
            self._at += 2
            self._condition(When(pair))
            return
        self._at += 1
        if char in BLANKS:
            self._end_word()
        elif char in ";\n":
            self._separator(char)
        elif char == "#" and self._word is None:
            self._skip_comment()
        elif char in REFUSED:
            raise ShellSyntaxError(f"syntax error near unexpected token `{char}'")
        else:
            self._add(self._quoted(char))

    def _quoted(self, char: str) -> str:
        if char == "'":
            return self._until_single()
        if char == '"':
            return self._until_double()
        if char == "\\":
            return self._escaped()
        return char

    def _until_single(self) -> str:
        end = self._line.find("'", self._at)
        if end < 0:
            raise ShellSyntaxError("unexpected EOF while looking for matching `''")
        text = self._line[self._at : end]
        self._at = end + 1
        return text

    def _until_double(self) -> str:
        out: list[str] = []
        while self._at < len(self._line):
            char = self._line[self._at]
            self._at += 1
            if char == '"':
                return "".join(out)
            if char in "$`":
                raise ShellSyntaxError(f"substitution with {char} is not supported")
            following = self._line[self._at : self._at + 1]
            if char == "\\" and following and following in '$`"\\\n':
                self._at += 1
                char = "" if following == "\n" else following
            out.append(char)
        raise ShellSyntaxError("unexpected EOF while looking for matching `\"'")

    def _escaped(self) -> str:
        following = self._line[self._at : self._at + 1]
        self._at += 1
        return "" if following == "\n" else following or "\\"

    def _skip_comment(self) -> None:
        end = self._line.find("\n", self._at)
        self._at = len(self._line) if end < 0 else end

    def _add(self, text: str) -> None:
        self._word = [*(self._word or []), text]

    def _end_word(self) -> None:
        if self._word is not None:
            self._words.append("".join(self._word))
            self._word = None

    def _end_command(self) -> bool:
        self._end_word()
        if not self._words:
            return False
        self._done.append(Invocation(tuple(self._words), self._when))
        self._words, self._when = [], When.ALWAYS
        return True

    def _separator(self, char: str) -> None:
        if not self._end_command() and char == ";":
            raise ShellSyntaxError("syntax error near unexpected token `;'")

    def _condition(self, when: When) -> None:
        if not self._end_command():
            raise ShellSyntaxError(f"syntax error near unexpected token `{when.value}'")
        self._when = when
