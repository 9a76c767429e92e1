"""A real browser: Debian's Chromium, without a window, driven by Playwright."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, async_playwright

PROGRAM = "/usr/bin/chromium"
#: It is root's in containers, and has nothing to ask of the internet.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@asynccontextmanager
async def running_browser(*arguments: str) -> AsyncIterator[Browser]:
    """A browser from its start to its end; a context of it is a user with cookies of their own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=[*_ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            await browser.close()


async def status_after_sign_in(
    browser: Browser, link: str, *, at: str, user_field: str, user: str, password: str
) -> int:
    """Open a link as a stranger, who is sent to sign in `at` an address, and does; the status of what is then shown."""
    page = await (await browser.new_context()).new_page()
    await page.goto(link)
    assert page.url.startswith(at), "a stranger is sent to sign in"
    await page.fill(f"[name={user_field}]", user)
    await page.fill("[name=password]", password)
    async with page.expect_response(lambda answer: answer.url == link and answer.status != 302) as shown:
        await page.click("[type=submit]")
    status = (await shown.value).status
    await page.wait_for_url(link)
    return status


@asynccontextmanager
async def running_profile(
    directory: Path, *arguments: str, environment: Mapping[str, str]
) -> AsyncIterator[BrowserContext]:
    """A browser with a user's own profile. Contexts of `running_browser` are private windows, which show no tickets."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            directory, executable_path=PROGRAM, args=[*_ARGUMENTS, *arguments], env={**environment}
        )
        try:
            yield context
        finally:
            await context.close()
