"""Where in the code an error happened and of what kind, without the values at hand: they may be people's data."""

import traceback
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_ABOUT_CODE = (AttributeError, ImportError, NameError, NotImplementedError)  # their texts hold names from the code only


def trace(error: BaseException) -> list[str]:
    """The chain of errors, the first cause first: kinds and places, in lines that end in a line feed."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [*trace(cause), "which led to\n"] if cause else []
    about = f": {error}" if isinstance(error, _ABOUT_CODE) else ""
    state = getattr(error, "pgcode", None)
    places = (f"  {place(each)}, in {each.name}\n" for each in traceback.extract_tb(error.__traceback__))
    return [*lines, f"{type(error).__qualname__}{about}{f' (SQLSTATE {state})' if state else ''}\n", *places]


def place(frame: traceback.FrameSummary) -> str:
    """A file of ours below the package's folder, any other by its name; and the line."""
    path = Path(frame.filename)
    name = str(path.relative_to(_PACKAGE)) if path.is_relative_to(_PACKAGE) else path.name
    return f"{name}, line {frame.lineno}"
