"""Policy files that change while the bot runs."""

import asyncio


def change(own, old, new, *, file="rules.yaml"):
    path = own / "policies" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def until(look, *, timeout_s=12.0):
    """Return what `look` returns once it is true."""
    async with asyncio.timeout(timeout_s):
        while not (found := await look()):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.1)
    return found


async def reported(town, holds):
    """Return what /readyz says once `holds` does of it."""

    async def look():
        _, report = await town.ready()
        return report if holds(report) else None

    return await until(look)


def are_refused(report):
    return any("the policy files are refused" in warning for warning in report["warnings"])


async def digest(town):
    return (await town.ready())[1]["policy"]


async def changes(town, own, old, new, *, file="rules.yaml"):
    """Change a file and return once the change is in force."""
    before = await digest(town)
    change(own, old, new, file=file)
    town.reload.set()
    await reported(town, lambda report: report["policy"] != before)
