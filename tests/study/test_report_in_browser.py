"""The report in Chromium: no error, no overflow, tables sort and copy, keys reach all, prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pyexpr.study.pipeline import StudyResult
from pyexpr.study.results.report import REPORT

CHROMIUM = "/usr/bin/chromium"
PHONE, DESK = 390, 1280


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the console and the network said, over all pages."""
    return []


@pytest.fixture
def page(browser: Browser, study_result: StudyResult, said: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": DESK, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if REPORT not in request.url else 0)
    page.goto((study_result.folder / REPORT).as_uri())
    yield page
    context.close()
    assert said == []


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
    assert ("table3-performance-intervals" in wide) == (width == PHONE)


def column(page: Page, table: str, number: int) -> list[str]:
    cells = page.locator(f"#{table} tbody tr > :nth-child({number})").all_inner_texts()
    return [cell.replace("\u00a0", " ") for cell in cells]


def value(cell: str) -> float:
    """The number a cell begins with; "< .001" lies below .001."""
    plain = cell.replace("−", "-")
    return 0.0009 if plain.startswith("<") else float(plain.split(" ")[0].strip("[],"))


def test_a_table_sorts_by_numbers_up_down_and_back(page: Page) -> None:
    table = "table4-comparison"
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
    assert page.locator("#said").inner_text() == "Order as before."


def test_p_values_and_gaps_have_their_places(page: Page) -> None:
    page.evaluate(
        """() => { const rows = document.querySelectorAll('#table4-comparison tbody tr');
        const cells = ['.5', '< .001', '—', '.001', '> .999', '−.2'];
        rows.forEach((row, i) => row.cells[3].textContent = cells[i]); }"""
    )
    button = page.locator("#table4-comparison thead button", has_text="Estimate")
    button.click()
    assert column(page, "table4-comparison", 4) == ["−.2", "< .001", ".001", ".5", "> .999", "—"]
    button.click()
    assert column(page, "table4-comparison", 4) == ["> .999", ".5", ".001", "< .001", "−.2", "—"]


def test_a_table_sorts_by_words(page: Page) -> None:
    page.locator("#table1-reliability thead button", has_text="Question").click()
    assert column(page, "table1-reliability", 2) == sorted(column(page, "table1-reliability", 2))


def says_copied(page: Page) -> None:
    # Not by wait_for_function: it polls with eval, which the page's security policy forbids.
    expect(page.locator("#said")).to_have_text("Copied.")


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
    page.locator("button[data-copy=table2-factor-model]").click()
    says_copied(page)
    text = page.evaluate("navigator.clipboard.readText()")
    lines = text.splitlines()
    assert lines[0].split("\t") == ["Parameter", "Startle", "Pain", "Disgust", "All"]
    assert lines[1].startswith("λ1 (Response)\t.9")
    # Pasted it keeps its number, its title, APA's rules and its note.
    assert page.evaluate(PASTED) == {
        "buttons": 0,
        "title": ["Table 4", "One-Factor Model: Standardised Loadings and Residual Variances"],
        "note": "Note. λ: standardised loading; ε: standardised residual variance.",
        "italics": 2,
        "rules": ["Top Bottom", *[""] * 5, "Bottom"],
    }


def test_a_table_under_spanners_has_its_rules(page: Page) -> None:
    page.locator("button[data-copy=table3-performance-intervals]").click()
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
    box = page.locator("#table1-reliability").locator("xpath=..")
    box.focus()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"


def test_figures_have_words_and_tables_heads(page: Page) -> None:
    figures = page.locator("figure svg")
    assert figures.count() >= 6
    tree = page.evaluate(
        """() => [...document.querySelectorAll('figure svg')].map(svg => [svg.getAttribute('role'),
        ...svg.getAttribute('aria-labelledby').split(' ').map(
          id => document.getElementById(id).textContent.length)])"""
    )
    assert all(role == "img" and title > 5 and words > 50 for role, title, words in tree)
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


def test_text_stands_out(page: Page) -> None:
    assert page.evaluate(CONTRAST) >= 7


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
