"""The page as a person uses it: texts, keys, a choice of models, any screen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from contract.api_keys import digest
from contract.prediction import AnswerRule
from harness.answering_worker import LABELS, VERSION, AnsweringWorker, scores
from harness.process import ROOT
from harness.redis_server import RedisServer
from harness.tiny_artifact import write_tiny_artifact
from tests.e2e.conftest import OpenPage, assert_accessible, classify, shoot
from tests.e2e.page_stack import PageStack

PARTS = ("try", "file", "models", "now", "jobs")
HOSTILE = "<img src=x onerror=\"document.title = 'taken over'\">"


def shown_labels(page: Page, text: int) -> list[str]:
    return page.locator(".results > li").nth(text).locator(".label").all_text_contents()


def test_texts_are_answered_with_all_labels_on_demand(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack)
    classify(page, "how do I merge two dicts", HOSTILE)
    for number, text in enumerate(("how do I merge two dicts", HOSTILE)):
        truth = sorted(scores(text).items(), key=lambda pair: -pair[1])
        assert shown_labels(page, number) == [label for label, _ in truth]
        first = page.locator(".results > li").nth(number).locator(".scores li").first
        assert f"{truth[0][1]:.1%}" in first.inner_text()
    assert "8 tokens read" in page.locator(".results > li").first.inner_text()
    assert page.locator(".results .text").nth(1).inner_text() == HOSTILE
    assert page.title() == "Retort"
    shoot(page, "try")


def test_what_the_model_has_not_read_of_a_text_is_struck_through(stack: PageStack, open_page: OpenPage) -> None:
    stack.worker.most_words = 4
    page = open_page(stack)
    classify(page, "🙂 how do I merge two dicts", "how do I sort")
    cut, whole = page.locator(".results > li").all()
    expect(cut.locator(".cut")).to_have_text("Cut off, not read:  merge two dicts")
    assert cut.locator(".text").evaluate("node => node.firstChild.textContent") == "🙂 how do I"
    assert cut.locator(".cut").evaluate("node => getComputedStyle(node).textDecorationLine") == "line-through"
    assert "6 tokens read, the rest was cut off" in cut.inner_text()
    expect(whole.locator(".text")).to_have_text("how do I sort")
    expect(whole.locator(".cut")).to_have_count(0)
    assert_accessible(page)
    shoot(page, "try-cut")


def test_texts_by_the_hundred_are_answered_too(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack)
    texts = [f"text number {number}" for number in range(300)]
    classify(page, *texts)
    expect(page.get_by_text("300 texts answered")).to_be_visible()
    assert shown_labels(page, 299)[0] == max(scores(texts[299]).items(), key=lambda pair: pair[1])[0]


def test_the_same_request_stands_there_as_code(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack)
    classify(page, "it's a text")
    page.get_by_text("The same request as code").click()
    written = page.locator("pre").all_text_contents()
    assert f"curl {stack.url}/predict" in written[0]
    assert "'{\"texts\":[\"it'\\''s a text\"]}'" in written[0]
    assert 'client.predict(["it\'s a text"])' in written[1]
    assert "await fetch(" in written[2]


def test_the_code_that_is_shown_is_copied_and_runs_as_it_is(
    stack: PageStack, open_page: OpenPage, context: BrowserContext
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_page(stack)
    classify(page, 'it\'s a "text" of 🙂')
    page.get_by_text("The same request as code").click()
    copied = {}
    for name in ("curl", "Python", "JavaScript"):
        page.locator(".snippet").filter(has=page.get_by_role("heading", name=name)).get_by_role("button").click()
        copied[name] = str(page.evaluate("navigator.clipboard.readText()"))
        assert copied[name] == page.locator("pre", has=page.locator("code")).all_text_contents()[len(copied) - 1]
    best = max(scores('it\'s a "text" of 🙂').items(), key=lambda pair: pair[1])[0]
    with page.expect_console_message() as message:
        page.evaluate(f"(async () => {{ {copied['JavaScript']} }})()")
    said = [json.dumps([one.json_value() for one in message.value.args])]
    commands = (["bash", "-c", copied["curl"]], [sys.executable, "-c", copied["Python"]])
    said += [subprocess.run(one, check=True, capture_output=True, text=True, timeout=60).stdout for one in commands]
    assert len(said) == 3
    assert all(best in text for text in said)


@pytest.mark.parametrize("several", [False, True])
def test_an_answer_shows_its_marks_and_every_label(stack: PageStack, open_page: OpenPage, several: bool) -> None:
    stack.worker.rule = AnswerRule(labels=LABELS, review_below=0.99, thresholds=(0.2, 0.3, 0.4) if several else None)
    page = open_page(stack)
    text = next(text for text in (f"text {n}" for n in range(99)) if min(scores(text).values()) < 0.2)
    classify(page, text)
    card = page.locator(".results > li").first
    if several:
        card.get_by_text("All 3 labels").click()
    assert sorted(card.locator(".label").all_text_contents()) == sorted(LABELS)
    expect(card.locator(".label").nth(2)).to_be_visible()
    assert card.locator(".mark").all_text_contents() == ([] if several else ["for review"])


def test_an_empty_box_says_what_to_do_and_an_example_is_a_click_away(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_text("Type a text first")).to_be_visible()
    page.get_by_role("button", name="Try an example").click()
    expect(page.locator(".results > li")).to_have_count(3)


def test_it_is_used_by_keyboard_alone(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("a text")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".results > li")).to_have_count(1)


def test_where_there_are_two_models_one_chooses(redis_server: RedisServer, tmp_path: Path, open_page: OpenPage) -> None:
    for name, labels in (("default", LABELS), ("languages", ("de", "en"))):
        write_tiny_artifact(tmp_path, name=name, version=VERSION, labels=labels)
    stack = PageStack(redis_server, tmp_path / "api.log", tmp_path)
    with stack.worker, AnsweringWorker(stack.settings, "languages"):
        page = open_page(stack)
        expect(page.get_by_text("one of 3 labels: java, python, sql")).to_be_visible()
        page.get_by_label("Model").select_option("languages")
        expect(page.get_by_text("one of 2 labels: de, en")).to_be_visible()
        classify(page, "a text")
        page.get_by_text("The same request as code").click()
        expect(page.locator("pre").first).to_contain_text('"model":"languages"')
        assert [job["model"]["name"] for job in httpx.get(f"{stack.url}/jobs").json()["jobs"]] == ["languages"]
        page.get_by_role("link", name="Models").click()
        expect(page.get_by_role("table", name="versions of languages").locator("tbody tr")).to_have_count(1)
        assert_accessible(page)
    stack.close()


def test_a_key_is_asked_for_kept_in_the_tab_and_in_no_address(
    redis_server: RedisServer, tmp_path: Path, models: Path, context: BrowserContext, open_page: OpenPage
) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[[keys]]\nname = "alice"\nsha256 = "{digest("alice-secret")}"\n')
    stack = PageStack(redis_server, tmp_path / "api.log", models, api_keys_file=keys)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    with stack.worker:
        page = open_page(stack, may_say=["401", "Blocked script execution"])
        for key in ("wrong", "alice-secret"):
            page.get_by_label("API key").fill(key)
            page.get_by_role("button", name="Go on").click()
            if key == "wrong":
                expect(page.get_by_text("does not know this key")).to_be_visible()
        classify(page, "a text")
        page.reload()
        page.get_by_role("link", name="Models").click()
        page.get_by_role("button", name="report of 20260201t000000-000000").click()
        expect(page.frame_locator("iframe").get_by_role("heading")).to_have_text("How it went")
        assert page.evaluate("JSON.stringify(localStorage)") == "{}"
        stored = page.evaluate("JSON.stringify(sessionStorage)")
        assert json.loads(stored) == {"retort-key": "alice-secret"}
    assert not [url for url in asked if "secret" in url]
    stack.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_every_part_is_accessible_and_fits(browser: Browser, stack: PageStack, scheme: str, width: int) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(stack.url)
    classify(page, "how do I merge two dicts", " ".join(["long"] * 60))
    for part in PARTS:
        page.goto(f"{stack.url}/#{part}")
        expect(page.locator(f"[data-view={part}]")).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        if part in ("models", "now", "jobs"):
            expect(page.locator(f"[data-view={part}] table").first).to_be_visible()
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shoot(page, f"{part}-{scheme}-{width}")
    context.close()


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("part", PARTS)
def test_nothing_jumps_while_the_page_is_built(browser: Browser, stack: PageStack, part: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(f"{stack.url}/#{part}")
    expect(page.locator(f"[data-view={part}]")).to_be_visible()
    expect(page.locator("service-state")).to_contain_text("ready")
    shift = page.evaluate(
        """() => new Promise((resolve) => new PerformanceObserver((list) =>
             resolve(list.getEntries().reduce((sum, entry) => sum + entry.value, 0)))
             .observe({type: "layout-shift", buffered: true}) || setTimeout(() => resolve(0), 500))"""
    )
    page.close()
    assert shift < 0.02


def test_the_javascript_example_runs_in_node(stack: PageStack) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here; the browser's test runs the same file")
    environment = os.environ | {"RETORT_URL": stack.url}
    ran = subprocess.run(
        [node, ROOT / "examples" / "fetch.mjs"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.stderr == ""
    first, second = ran.stdout.splitlines()
    assert first.startswith(max(scores("how do I undo my last commit").items(), key=lambda pair: pair[1])[0])
    assert second == "no label: the text is empty"


def test_the_javascript_example_runs_in_the_browser(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack)
    example = (ROOT / "examples" / "fetch.mjs").read_text(encoding="utf-8")
    page.route("**/page/fetch.mjs", lambda route: route.fulfill(body=example, content_type="text/javascript"))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.evaluate("import('/page/fetch.mjs')")
    best = max(scores("how do I undo my last commit").items(), key=lambda pair: pair[1])[0]
    assert said[0].startswith(best)
    assert said[1].startswith("no label: ")
