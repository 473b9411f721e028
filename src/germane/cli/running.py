"""Running a command, and what is said where it fails."""

from __future__ import annotations

import atexit
import errno
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence

import typer

from ..errors import GermaneError
from ..writing import refusal
from .app import app

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave. Exit codes: 0 done, 1 a negative verdict, 2 something the user can mend, 3 our fault, 130 interrupted."""
    code = _run(list(sys.argv[1:] if arguments is None else arguments))
    if arguments is None and os.environ.get("WORLD_SIZE", "1") not in ("", "1"):
        _leave_together(code)
    sys.exit(code)


def _leave_together(code: int) -> None:
    """Of several processes, without taking Python down: a thread of their group that lets go of a tensor meanwhile would abort this one, and the
    launcher the others. They end with the group, but where PyTorch remembers it: with a language model in parts (its DTensors). Nothing public runs
    what is to be run at the end and comes back."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(arguments: list[str]) -> int:
    for word in arguments:
        if not _is_text(word):
            return _fault(f"The argument {word!a} is no text in UTF-8, as every argument has to be: type it, or name the file, in UTF-8.", 2)
    try:
        code = app(arguments, prog_name="germane", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except GermaneError as error:
        return _fault(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        return _nobody_reads()
    except SystemExit as left:  # the parser's way out when nobody reads what is printed; no command leaves so
        return _nobody_reads() if left.code == 1 else int(left.code or 0)
    except MemoryError:
        return _fault(_TOO_LARGE, 2)
    except BaseException as error:  # a panic of polars is no Exception
        if isinstance(error, RuntimeError):
            from ..training import is_out_of_memory

            if is_out_of_memory(error):  # torch on a CPU raises no MemoryError
                return _fault(_TOO_LARGE, 2)
        if callable(show := getattr(error, "show", None)):  # a usage error: which option, what is allowed
            show()
            return 2
        said = refusal(error)
        if said is not None and said[0] in _MENDABLE:
            place = getattr(error, "filename", None)
            return _fault(f"{said[1]}{f': {place}' if place else ''}.", 2)
        return _fault(f"This is a fault of Germane ({type(error).__name__}). A report lies in {_report(arguments)}.", 3)


_TOO_LARGE = "This needs more memory than there is: make training.batch, model.width or text.max_tokens smaller, or use a larger machine."
_MENDABLE = {
    errno.ENOSPC,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOENT,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
}
"""Of the machine and its files: full, forbidden, not there."""


def _is_text(word: str) -> bool:
    """Python stands in surrogates for bytes of the command line that it cannot read."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fault(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


def _nobody_reads() -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's last flush is silent
    return 0


def _report(arguments: Sequence[str]) -> str:
    from .. import __version__

    about = f"germane {__version__}, Python {platform.python_version()}, {platform.platform()}\ngermane {' '.join(arguments)}\n\n"
    with tempfile.NamedTemporaryFile("w", prefix="germane-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace") as report:
        report.write(about + traceback.format_exc())
    return report.name
