"""The report in Chromium: no error, no overflow, tables sort and copy, keys reach all, prints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pyexpr.base.files import sha256
from pyexpr.study.kept.seal import sealed
from pyexpr.study.pipeline import StudyResult
from pyexpr.study.results.report import REPORT, study_report

CHROMIUM = "/usr/bin/chromium"
PHONE, DESK = 390, 1280


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def console() -> list[str]:
    """What the console and the network said, over all pages."""
    return []


@pytest.fixture
def page(browser: Browser, study_result: StudyResult, console: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": DESK, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.on("console", lambda message: console.append(message.text))
    page.on("pageerror", lambda error: console.append(str(error)))
    page.on(
        "request", lambda request: console.append(request.url) if REPORT not in request.url else 0
    )
    page.goto((study_result.folder / REPORT).as_uri())
    yield page
    context.close()
    assert console == []


OVERFLOWING = """() => [...document.querySelectorAll('body *')].filter(node =>
  !node.closest('.scroll') && node.getBoundingClientRect().right > innerWidth + 1
).map(node => node.tagName + '#' + node.id)"""


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_is_wider_than_the_page(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OVERFLOWING) == []
    # Tables that are wider scroll in their own box; on a desk nothing of table 3 is hidden.
    wide = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth)"
        ".map(b => b.querySelector('table')?.id)"
    )
    assert ("table-performance-intervals" in wide) == (width == PHONE)


def column(page: Page, table: str, number: int) -> list[str]:
    cells = page.locator(f"#{table} tbody tr > :nth-child({number})").all_inner_texts()
    return [cell.replace("\u00a0", " ") for cell in cells]


def value(cell: str) -> float:
    """The number a cell begins with; "< .001" lies below .001."""
    plain = cell.replace("−", "-")
    return 0.0009 if plain.startswith("<") else float(plain.split(" ")[0].strip("[],"))


def test_a_table_sorts_by_numbers_up_down_and_back(page: Page) -> None:
    table = "table-differences"
    before = column(page, table, 4)
    head = page.locator(f"#{table} thead th", has_text="Estimate")
    button = head.locator("button")
    button.click()
    up = column(page, table, 4)
    assert [value(cell) for cell in up] == sorted(value(cell) for cell in before)
    assert up != before
    assert head.get_attribute("aria-sort") == "ascending"
    button.press("Enter")
    down = column(page, table, 4)
    assert [value(cell) for cell in down] == sorted(map(value, before), reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    button.press("Space")
    assert column(page, table, 4) == before
    assert page.locator("#status").inner_text() == "Order as before."


def test_p_values_and_gaps_have_their_places(page: Page) -> None:
    page.evaluate(
        """() => { const rows = document.querySelectorAll('#table-differences tbody tr');
        const cells = ['.5', '< .001', '—', '.001', '> .999', '−.2'];
        rows.forEach((row, i) => row.cells[3].textContent = cells[i]); }"""
    )
    button = page.locator("#table-differences thead button", has_text="Estimate")
    button.click()
    assert column(page, "table-differences", 4) == ["−.2", "< .001", ".001", ".5", "> .999", "—"]
    button.click()
    assert column(page, "table-differences", 4) == ["> .999", ".5", ".001", "< .001", "−.2", "—"]


def test_a_table_sorts_by_words(page: Page) -> None:
    page.locator("#table-reliability thead button", has_text="Question").click()
    assert column(page, "table-reliability", 2) == sorted(column(page, "table-reliability", 2))


def says_copied(page: Page) -> None:
    # Not by wait_for_function: it polls with eval, which the page's security policy forbids.
    expect(page.locator("#status")).to_have_text("Copied.")


# What a word processor finds in HTML: paragraphs, and the rules above and below each row.
PASTED = """async () => { const [item] = await navigator.clipboard.read();
  const html = await (await item.getType('text/html')).text();
  const page = new DOMParser().parseFromString(html, 'text/html');
  const words = [...page.querySelectorAll('p')].map(p => p.textContent.trim());
  const has = (row, side) => [...row.cells].some(
    cell => cell.style['border' + side + 'Style'] === 'solid');
  return { buttons: page.querySelectorAll('button').length,
    title: words.slice(0, 2), note: words[2], italics: [...page.querySelectorAll('i, em')].length,
    rules: [...page.querySelectorAll('tr')].map(
      row => ['Top', 'Bottom'].filter(side => has(row, side)).join(' ')) }; }"""


def test_a_table_is_copied_as_text_and_as_a_table(page: Page) -> None:
    page.locator("button[data-copy=table-loadings]").click()
    says_copied(page)
    text = page.evaluate("navigator.clipboard.readText()")
    lines = text.splitlines()
    assert lines[0].split("\t") == ["Parameter", "Startle", "Pain", "Disgust", "All"]
    assert lines[1].startswith("λ1 (Response)\t.9")
    # Pasted it keeps its number, its title, APA's rules and its note.
    assert page.evaluate(PASTED) == {
        "buttons": 0,
        "title": ["Table 10", "One-Factor Model: Standardised Loadings and Residual Variances"],
        "note": "Note. λ: standardised loading; ε: standardised residual variance.",
        "italics": 2,
        "rules": ["Top Bottom", *[""] * 5, "Bottom"],
    }


def test_a_table_under_spanners_has_its_rules(page: Page) -> None:
    page.locator("button[data-copy=table-performance-intervals]").click()
    says_copied(page)
    rules = page.evaluate(PASTED)["rules"]
    assert rules[:2] == ["Top Bottom", "Bottom"]
    assert (rules[2], rules[-1]) == ("", "Bottom")


def test_sentences_are_copied_and_a_selection_serves_without_a_clipboard(page: Page) -> None:
    page.locator("button[data-copy=methods-text]").click()
    says_copied(page)
    assert "15 subjects recorded" in page.evaluate("navigator.clipboard.readText()")
    page.evaluate("window.ClipboardItem = undefined")
    page.locator("button[data-copy=not-done-text]").click()
    says_copied(page)
    assert "not imputed" in page.evaluate("navigator.clipboard.readText()")


FOCUSED = "(one => one.getAttribute('href') || one.id || one.tagName)(document.activeElement)"


def focused(page: Page) -> str:
    return str(page.evaluate(FOCUSED))


def test_every_section_is_reached_by_the_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert focused(page) == "#text"
    assert page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert focused(page) == "text"
    # Once more from the top: a reload would begin at the part last jumped to, or not, by chance.
    top = page.url.partition("#")[0]
    page.goto("about:blank")
    page.goto(top)
    page.keyboard.press("Tab")
    assert focused(page) == "#text"
    page.keyboard.press("Tab")
    sections = page.evaluate("[...document.querySelectorAll('section')].map(one => one.id)")
    reached = []
    for _ in sections:
        page.keyboard.press("Tab")
        reached.append(focused(page))
    assert reached == [f"#{name}" for name in sections]
    page.keyboard.press("Enter")
    assert focused(page) == sections[-1]
    # A table's box can be scrolled by keys, and says what it is.
    box = page.locator("#table-reliability").locator("xpath=..")
    box.focus()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"


def test_figures_have_words_and_tables_heads(page: Page) -> None:
    found = page.evaluate(
        """() => [...document.querySelectorAll('figure img')].map(img => [img.alt.length,
        document.getElementById(img.getAttribute('aria-describedby')).textContent.length])"""
    )
    assert len(found) >= 6
    assert all(title > 5 and words > 50 for title, words in found)
    bare = "[...document.querySelectorAll('table')].filter(t => !t.caption || !t.tHead).length"
    assert page.evaluate(bare) == 0


# WCAG's ratio of two colours' relative luminances.
CONTRAST = """() => { const lum = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number)
    .map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const back = node => { for (; node; node = node.parentElement) {
    const c = getComputedStyle(node).backgroundColor;
    if (c !== 'rgba(0, 0, 0, 0)') { return c; } } return 'rgb(255, 255, 255)'; };
  return Math.min(...[...document.querySelectorAll('p, li, td, th, a, button, h1, h2, h3, em')]
    .filter(node => node.offsetParent).map(node => {
      const both = [lum(getComputedStyle(node).color), lum(back(node))].sort((a, b) => b - a);
      return (both[0] + .05) / (both[1] + .05); })); }"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate(CONTRAST) >= 7
    # Figures are drawn on white: in the dark they are inverted, as the page is.
    image = "getComputedStyle(document.querySelector('figure img')).filter"
    assert ("invert" in page.evaluate(image)) == (scheme == "dark")
    # On paper nothing is dark.
    page.emulate_media(color_scheme=scheme, media="print")
    assert page.evaluate(image) == "none"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 26, 26)"


def test_the_first_screen_has_the_verdict_and_the_figure_of_performance(page: Page) -> None:
    box = page.locator("#figure-performance img").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 800
    assert page.locator("#results-text p").count() == 4


def test_the_contents_follow_and_mark_the_section(page: Page) -> None:
    marked = page.locator("nav a[aria-current]")
    expect(marked).to_have_text("In brief")
    page.locator("#reliability").scroll_into_view_if_needed()
    page.evaluate("document.getElementById('reliability').scrollIntoView({behavior: 'instant'})")
    expect(marked).to_have_text("Reliability of the ratings")
    box = page.locator("nav").bounding_box()
    assert box is not None
    assert box["y"] == 0
    page.set_viewport_size({"width": PHONE, "height": 800})
    expect(page.locator("nav .here")).to_be_visible()
    expect(page.locator("nav ol")).to_be_hidden()


def test_on_a_phone_hidden_columns_are_reported_and_figures_grow(page: Page) -> None:
    page.set_viewport_size({"width": PHONE, "height": 800})
    hidden = """() => [...document.querySelectorAll('.scroll')].filter(b => b.offsetParent)
      .map(b => [b.scrollWidth > b.clientWidth + 1,
                 getComputedStyle(b.nextElementSibling).display !== 'none'])"""
    # The browser tells the page of its new width after it has laid it out, on a busy machine later.
    for _ in range(100):
        found = page.evaluate(hidden)
        if all(narrow == hint for narrow, hint in found):
            break
        page.wait_for_timeout(50)
    assert [True, True] in found
    assert all(narrow == hint for narrow, hint in found)
    image = page.locator("#figure-performance img")
    assert image.bounding_box()["width"] <= PHONE  # type: ignore[index]
    page.locator("#figure-performance .larger").click()
    assert image.bounding_box()["width"] > PHONE  # type: ignore[index]


HOSTILE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"
ONLOAD="document.title='run'"><desc>&lt;img src=x onerror="document.title='run'"&gt;</desc>
<SCRIPT>document.title='run'</SCRIPT>
<script>document.title='run'</script><image href="https://example.org/x.png" ONERROR="x()"/>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><IMG SRC="//example.org/x"
ONERROR="document.title='run'"/></body></foreignObject><rect width="9" height="9" ONCLICK="x()"/>
</svg>"""


def test_somebody_elses_figure_runs_and_loads_nothing(
    page: Page, study_result: StudyResult, console: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(study_result.folder, folder, ignore=shutil.ignore_patterns("stages", "*.png"))
    figure = folder / "figures" / "performance.svg"
    figure.write_text(HOSTILE, encoding="utf-8")
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    record["title"] = "<IMG SRC=x ONERROR=\"document.title='run'\">"
    record["files"]["figures/performance.svg"] = sha256(figure)
    (folder / "record.json").write_text(json.dumps(sealed(record)), encoding="utf-8")
    page.goto(study_report(folder).as_uri())
    assert page.title() == record["title"]
    page.locator("#figure-performance img").click()
    assert page.title() == record["title"]
    # Nor does another script: the policy knows one, by its hash.
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'document.title = 1'}))"
    )
    assert page.title() == record["title"]
    assert len(console) == 1
    assert "Content Security Policy" in console.pop()


def test_in_print_heads_stay_with_what_they_head(page: Page) -> None:
    page.emulate_media(media="print")
    breaks = page.evaluate(
        "[...document.querySelectorAll('h2, h3, main summary, caption')]"
        ".map(node => getComputedStyle(node).breakAfter)"
    )
    assert set(breaks) == {"avoid"}


def test_it_prints(page: Page, tmp_path: Path) -> None:
    content = page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert content.startswith(b"%PDF")
    assert 5 < content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") < 40
    # What was folded is folded again.
    expect(page.locator("details[open]")).to_have_count(1)
