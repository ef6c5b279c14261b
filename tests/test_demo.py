"""The demo as a newcomer meets it: its page in a real browser, and the day that it can play."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from bot.demo import together
from tests.browser import FLAGS, chromium


async def test_the_scripted_day_ends_well(tmp_path):
    root = Path(__file__).parents[1]
    for needed in ("policies", "manifest.yml"):
        (tmp_path / needed).symlink_to(root / needed)
    day = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", "from bot.cli import main; main()"),
        *("demo", "--script"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, wrong = await day.communicate()
    assert (day.returncode, wrong.decode()) == (0, "")
    assert "every step went as it must" in told.decode()


@pytest.mark.system
async def test_the_main_path_works_in_a_browser(tmp_path):
    async with together(tmp_path) as place, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        said = []
        page.on("console", lambda message: said.append(message.text))
        await page.goto(place.sandbox)

        await page.get_by_test_id("person-U0ANNA").click()
        await page.get_by_test_id("composer").fill("/jit request")
        await page.get_by_test_id("composer").press("Enter")
        form = page.get_by_test_id("modal")
        await form.get_by_role("combobox").first.click()
        await page.locator("[role=option][data-value=billing-read]").click()
        await form.get_by_text("Read refunds").click()
        await form.get_by_role("textbox").fill("to look into invoice 4711")
        await page.get_by_test_id("modal-submit").click()
        await expect(form).to_be_hidden()

        await page.get_by_test_id("person-U0BEN").click()
        await page.get_by_test_id("channel-C0ACCESS").click()
        main = page.locator("#main")
        await expect(main.get_by_text("Waiting")).to_be_visible()
        await expect(main.get_by_text("Read refunds")).to_have_count(0)
        await main.get_by_test_id("button-approve").click()
        await expect(main.get_by_text("Works")).to_be_visible()

        await page.get_by_test_id("person-U0ANNA").click()
        await page.get_by_test_id("channel-D0ANNA").click()
        await expect(main.get_by_text("eyJ")).to_be_visible()
        await main.get_by_test_id("button-got_it").click()
        await expect(main.get_by_text("eyJ")).to_have_count(0)
        await expect(main.get_by_test_id("button-reveal")).to_be_visible()
        await page.screenshot(path=tmp_path / "end.png")
        await browser.close()
    assert said == []
