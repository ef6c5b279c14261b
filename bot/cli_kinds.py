"""What commands share: kinds of values that people write, and options that mean the same."""

from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from bot.core.durations import read_duration


class Length(click.ParamType[timedelta]):
    """A duration as people write it."""

    name = "duration"

    def convert(self, value: Any, _: Any, __: Any) -> timedelta:
        """Return the duration."""
        try:
            return value if isinstance(value, timedelta) else read_duration(value)
        except ValueError as problem:
            self.fail(str(problem))


class Time(click.ParamType[datetime]):
    """A time with its zone."""

    name = "time"

    def convert(self, value: Any, _: Any, __: Any) -> datetime:
        """Return the time."""
        try:
            at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write 2026-11-23T10:00:00+01:00")
        if at.tzinfo is None:
            self.fail(f"{value!r} has no zone; write 2026-11-23T10:00:00+01:00")
        if not MINYEAR < at.year < MAXYEAR:  # other zones need a day more on both sides
            self.fail(f"{value!r} is out of range")
        return at


FOLDER: Final = click.Path(path_type=Path, file_okay=False)

folder_argument = click.argument(
    "folder", type=FOLDER, default=Path("policies"), envvar="JIT_POLICIES"
)
policies_option = click.option(
    "--policies",
    "folder",
    type=FOLDER,
    default=Path("policies"),
    envvar="JIT_POLICIES",
    show_default=True,
    help="The folder of policy files.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
