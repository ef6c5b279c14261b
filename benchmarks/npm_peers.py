"""Programs from npm that do the same as ours, installed at run time; ours needs none of them."""

import asyncio
import json
import os
import shutil
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

FILES = Path(__file__).parent / "peers"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "jit-benchmark-peers"


def installed() -> Path | None:
    """Return the folder in which they are installed; None, and a word why, if they cannot be."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        print("npm is not installed, so oidc-provider is left out of the comparison")
        return None
    wanted = (FILES / "package.json").read_text("utf-8")
    there = CACHE / "package.json"
    complete = (CACHE / "node_modules" / "oidc-provider").is_dir()
    if not complete or not there.exists() or there.read_text("utf-8") != wanted:
        CACHE.mkdir(parents=True, exist_ok=True)
        there.write_text(wanted, "utf-8")
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(command, cwd=CACHE, check=False).returncode:
            there.unlink()
            print("npm could not install oidc-provider, so it is left out of the comparison")
            return None
    shutil.copy(FILES / "oidc_provider.js", CACHE)
    return CACHE


async def oidc_provider(
    stack: AsyncExitStack, folder: Path, *, port: int, args: list[str], core: set[int]
) -> tuple[int, list[str]]:
    """Run it on `core` while `stack` lasts; return its process and the tokens that it issued."""
    command = ["node", str(folder / "oidc_provider.js"), str(port), *args]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "NODE_ENV": "production"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 20,
        preexec_fn=lambda: os.sched_setaffinity(0, core) if core else None,
    )
    stack.callback(process.terminate)
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 120)
    return process.pid, json.loads(line)
