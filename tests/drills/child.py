"""What becomes the bot: forked by a server that has imported all this, which a start need not do.

Nothing else is imported here, so that it is as `jit serve` is in a shell.
"""

import os
import sys
from collections.abc import Mapping

from bot.cli import main


def serve(settings: Mapping[str, str], log: str) -> None:
    """Be `jit serve`; what it prints goes to the end of `log`."""
    said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(said, sys.stdout.fileno())
    os.dup2(said, sys.stderr.fileno())
    os.environ |= settings
    main(["serve"])
