"""Chromium, as tests start it."""

import shutil

# Without these it looks for its maker's servers, and finds a closed network.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium():
    """Return the path of Chromium; a test that needs it fails without it, and is never skipped."""
    path = shutil.which("chromium")
    assert path, "Chromium is not installed; on Debian type: apt-get install chromium"
    return path
