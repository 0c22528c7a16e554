"""The report: what it says is what the results hold; what it is given is escaped and checked."""

from __future__ import annotations

import json
import math
import re
import shutil
from contextlib import suppress
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import docx
import pandas as pd
import pytest
from study_variants import tables_of, variant

from pyexpr.base.errors import StudyError
from pyexpr.base.files import OutputError, sha256
from pyexpr.report.text.results import slope_sentences
from pyexpr.report.text.verdict import findings
from pyexpr.study.kept.seal import sealed
from pyexpr.study.pipeline import Study, StudyResult
from pyexpr.study.results.report import REPORT, study_report
from pyexpr.study.results.summary import print_summary
from pyexpr.words.labels import interval, number
from pyexpr.words.reader import readers_note

# Where the works that are cited are found: links, which load nothing.
WORKS = ("https://doi.org/", "https://www.jstor.org/", "https://jmlr.org/")
VOID = {"meta", "br", "hr", "img", "link", "col"}


class Page(HTMLParser):
    """A strict look at a page: every element closed, ids once, links that lead somewhere."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.pictures: list[str] = []
        self.words: list[str] = []
        self.sections: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "section":
            self.sections.append(str(given["id"]))
        for name in ("src", "href"):
            value = given.get(name)
            if value is None or value.startswith(WORKS):
                continue
            if tag == "img" and value.startswith("data:image/svg+xml;base64,"):
                self.pictures.append(value)
            else:
                (self.links if value.startswith("#") else self.loaded).append(value)
        assert not any(name.startswith("on") for name in given)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\u00a0", " ").split())


@pytest.fixture(scope="module")
def page(study_result: StudyResult) -> Page:
    return Page((study_result.folder / REPORT).read_text(encoding="utf-8"))


def test_it_is_one_whole_page_that_loads_nothing(study_result: StudyResult, page: Page) -> None:
    assert page.loaded == []
    assert {link[1:] for link in page.links} <= set(page.ids)
    text = (study_result.folder / REPORT).read_text(encoding="utf-8")
    addresses = re.findall(r"https?://[^\s\"'<]*", text)
    assert all(one.startswith(WORKS) for one in addresses)
    assert len(page.pictures) == 6
    assert str(study_result.folder) not in text


def test_sections_in_their_order(page: Page) -> None:
    assert page.sections == [
        "summary", "performance", "comparison", "coefficients", "reliability", "factor-model",
        "quality", "methods", "not-done", "other-methods", "citing", "record",
    ]  # fmt: skip


def test_the_sentences_hold_the_results(study_result: StudyResult, page: Page) -> None:
    table = study_result.table("comparison")
    first = table[table["method"] == "jackknife_t"]
    for row in first[first["term"] == "elastic_net"].itertuples():
        limits = interval(row.conf_low, row.conf_high, 3, of=row.metric)
        assert f"{number(row.estimate, 3, of=row.metric)} " in page.text
        assert f"95% CI {limits}" in page.text
    for word in (
        "The data are simulated.", "15 subjects recorded in three contexts",
        "On three questions", "240 clips were rated from 0 to 4", "4,320 ratings in total",
        "lavaan",        "seed 3", "9 subjects", "one-way random effects", "Bartlett factor scores",
    ):  # fmt: skip
        assert word in page.text, word


def test_every_table_and_figure_is_shown(page: Page) -> None:
    assert {
        "table-reliability", "table-loadings", "table-performance-intervals",
        "table-differences", "table-all-differences", "table-leakage", "table-weights",
        "table-coefficients", "table-contrasts", "table-omnibus", "table-recordings-summary",
        "figure-factor-model", "figure-performance", "figure-weights", "figure-slopes",
        "figure-quality", "figure-predictions",
    } <= set(page.ids)  # fmt: skip


def test_what_was_left_out_is_reported(study_result: StudyResult, page: Page) -> None:
    left_out = study_result.stages["models"].facts["left out"]
    n = sum(left_out.values())
    assert all("bins valid" in reason for reason in left_out)
    assert f"rated and recorded, {n} were excluded from all models" in page.text
    assert f"fewer valid bins than required ({n})" in page.text


def blocks(text: str) -> list[str]:
    """What is read of each paragraph, item and note, without elements."""
    body = text[text.index("<main") : text.index('<section id="record"')]
    found = re.findall(r"<(p|li)\b[^>]*>(.*?)</\1>", body, flags=re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", "", inner)).replace("\u00a0", " ") for _, inner in found]


@pytest.fixture(scope="module")
def html(study_result: StudyResult) -> str:
    return (study_result.folder / REPORT).read_text(encoding="utf-8")


def test_tables_and_figures_are_numbered_as_they_come_with_titles_in_title_case(html: str) -> None:
    for kind, element in (("Table", "caption"), ("Figure", "figcaption")):
        shown = re.findall(
            rf"<{element}\b[^>]*>(?:<span>)?<strong>{kind} (\d+)</strong> <em>(.*?)</em>", html
        )
        assert len(shown) == html.count(f"<{element} ")
        assert [int(number) for number, _ in shown] == list(range(1, len(shown) + 1))
        for _, title in shown:
            words = re.findall(r"[A-Za-z]{4,}", title)
            assert all(word[0].isupper() for word in words), title
    notes = re.findall(r'<p class="note">(.{17})', html)
    assert set(notes) == {"<em>Note.</em> " + note[15:] for note in notes}


def test_files_and_report_give_a_table_one_number(study_result: StudyResult, html: str) -> None:
    shown = re.findall(
        r'<table id="table-([\w-]+)".*?<strong>(Table \d+)</strong> <em>(.*?)</em>', html
    )
    in_files = [stem.replace("-", "_") for stem, *_ in shown]
    in_files = [stem for stem in in_files if (study_result.folder / f"{stem}.md").is_file()]
    assert len(in_files) >= 10
    for stem, own, title in shown:
        file = study_result.folder / f"{stem.replace('-', '_')}.md"
        if stem.replace("-", "_") not in in_files:
            continue
        words = re.sub(r"<[^>]+>", "", unescape(title))
        assert file.read_text(encoding="utf-8").startswith(f"**{own}. {words}.**")
    # A file that the report does not show has no number, and no file's name has one.
    written = (study_result.folder / "performance.md").read_text(encoding="utf-8")
    assert written.startswith("**Performance on the Test Part")
    assert not any(re.match(r"(table|figure)\d", name) for name in study_result.record["files"])


def test_one_method_leads_and_the_others_are_in_the_appendix(html: str) -> None:
    sections = dict(re.findall(r'<section id="([^"]+)"(.*?)</section>', html, re.DOTALL))
    heads = {
        name: set(re.findall(r"(?:CI|</i>), ([\w-]+)(?:<i>t</i>)?</button>", text))
        for name, text in sections.items()
    }
    assert heads["comparison"] == {"jackknife-"}
    assert heads["other-methods"] == {"percentile"}
    assert "percentile" not in sections["performance"]


def test_a_slope_counts_where_its_interval_excludes_0() -> None:
    slopes = pd.DataFrame(
        {
            "context": "pain", "feature": ["a", "b", "c"], "tested_estimate": [0.3, 0.2, 0.1],
            "conf_low": [0.1, -0.01, -0.2], "conf_high": [0.5, 0.41, 0.4],
            "p_value": [0.001, 0.004, 0.4], "p_adjusted": [0.003, 0.048, 0.8],
        }
    )  # fmt: skip
    record = {"options": {"compare": {"confidence": 0.95}}}
    tables = {"coefficients": slopes, "scores": pd.DataFrame({"context": ["pain", "startle"]})}
    text = [one.replace("\u00a0", " ") for one in slope_sentences(record, tables)]
    assert text == [
        "In Pain, one slope had an adjusted 95% CI that excludes 0: a (0.30 [0.10, 0.50], "
        "p = .003).",
        "According to the test alone, b (0.20 [−0.01, 0.41], p = .048) also differs from 0; the "
        "simultaneous interval includes 0, so this slope is not counted.",
    ]
    none = {**tables, "coefficients": slopes.iloc[2:].drop(columns="p_adjusted")}
    assert slope_sentences(record, none) == ["In Pain, every 95% CI of a slope includes 0."]
    none["coefficients"] = none["coefficients"].assign(conf_low=math.nan, conf_high=math.nan)
    assert slope_sentences(record, none) == ["In Pain, no interval of a slope could be computed."]


def test_the_verdict_tells_differences_by_their_intervals() -> None:
    nan = math.nan
    table = pd.DataFrame(
        [("a", -0.2, -0.3, -0.1, 0.01), ("b", 0.2, 0.1, 0.3, 0.02),
         ("human", 0.1, -0.1, 0.3, 0.4), ("uniform", 0.1, nan, nan, nan)],
        columns=["second_model", "estimate", "conf_low", "conf_high", "p_value"],
    )  # fmt: skip
    table = table.assign(
        method="bca", context="all", kind="difference", first_model="net", metric="rmse"
    )
    level = table.iloc[:1].assign(kind="level", estimate=math.nan)
    record = {"options": {
        "compare": {"confidence": 0.9, "methods": ["bca"], "metrics": ["rmse"]},
        "label": {"kind": "regression"},
    }}  # fmt: skip
    tables = {
        "comparison": pd.concat([table, level]), "scores": pd.DataFrame({"context": ["pain"]}),
    }  # fmt: skip
    text = [one.replace("\u00a0", " ") for one in findings(record, tables, "net")]
    assert text == [
        "Net predicted with an undefined RMSE.",
        "Its RMSE was lower (better) than that of a (−0.200 [−0.300, −0.100], p = .010); it was "
        "higher than that of b (0.200 [0.100, 0.300], p = .020); it did not differ detectably from "
        "that of the human baseline (0.100 [−0.100, 0.300], p = .400); it has no interval for "
        "the difference from that of the uniform baseline (differences with 90% CI).",
    ]


def test_each_caution_and_note_stands_once(study_result: StudyResult, html: str) -> None:
    boxes = re.findall(r'<div class="caution".*?</div>', html)
    assert len(boxes) == len(set(boxes)) == 4
    for note in study_result.record["notes"]:
        words = readers_note(note)
        assert html.count(words.partition(". ")[2] or "\0") <= 1


def test_the_terminal_gets_one_page(
    study_result: StudyResult, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_summary(study_result)
    lines = capsys.readouterr().out.splitlines()
    assert 24 <= len(lines) <= 40
    assert any(line.startswith("Table 2. ElasticNet Minus the Other Models") for line in lines)
    n_notes = len(study_result.notes())
    assert lines[-1] == f"Notes:   {n_notes} notes in analysis_notes.txt there, and in the report"
    written = (study_result.folder / "analysis_notes.txt").read_text(encoding="utf-8").splitlines()
    assert written == list(study_result.notes())
    assert "Note:" not in "".join(lines)


def test_results_of_a_version_with_other_names_are_distinguished(copy: Path) -> None:
    without(copy, "loadings.csv")
    with pytest.raises(StudyError, match=r"does not list loadings\.csv: .* another version"):
        study_report(rehashed(copy))


def test_a_name_that_ends_in_docx_gives_a_word_document(
    study_result: StudyResult, tmp_path: Path
) -> None:
    target = tmp_path / "report.docx"
    first = study_report(study_result.folder, output=target).read_bytes()
    # Our own is replaced, with the same bytes.
    assert study_report(study_result.folder, output=target).read_bytes() == first
    document = docx.Document(str(target))
    titles = [one.text for one in document.paragraphs if re.fullmatch(r"Table \d+", one.text)]
    assert titles == [f"Table {n}" for n in range(1, len(document.tables) + 1)]
    assert len(document.inline_shapes) == 6
    target.write_bytes(b"mine")
    with pytest.raises(OutputError):
        study_report(study_result.folder, output=target)


def test_no_sentence_begins_with_a_numeral(html: str) -> None:
    for text in blocks(html):
        sentences = re.split(r"(?<=[a-z)][.!?]) (?=[A-Z\d])", text.removeprefix("Note. "))
        # In references "pp. 59" begins nothing.
        begun = [one for one in sentences if one[:1].isdigit() and "https://doi.org" not in text]
        assert [one for one in begun if not one.startswith("0: the penalty")] == []


def code_names(html: str) -> list[str]:
    words = Page(
        html[: html.index('<section id="record"')] + "</main></div></div></body></html>"
    ).text
    return re.findall(r"\S*\w_\w\S*|\w+\(\)|\S+ =~ \S+", words)


def test_readers_are_shown_no_names_of_columns_or_calls(html: str) -> None:
    assert code_names(html) == []


def test_what_is_cited_is_listed_and_nothing_else(html: str) -> None:
    text, _, rest = html.partition('<section id="citing"')
    words = unescape(re.sub(r"<[^>]+>", "", text[text.index("<main") :]))
    by = r"(The pyexpr authors|(?:van de )?[A-Z][\wš]+(?: et al\.| & [A-Z]\w+)?)"
    cited = set(re.findall(by + r",? \(?(\d{4}\b)", words))
    listed = set()
    for entry in re.findall(r"<li>(.*?)</li>", rest[: rest.index("</section>")]):
        plain = unescape(re.sub(r"<[^>]+>", "", entry))
        authors, year = re.match(r"(.*?) \((\d{4})\)", plain).groups()  # type: ignore[union-attr]
        names = re.findall(r"((?:van de )?[\wš]+), (?:[A-Z]\.[ -]?)+", authors)
        first = names[0] if names else authors.removesuffix(".")
        others = {0: "", 1: "", 2: f" & {names[-1] if names else ''}"}.get(len(names), " et al.")
        listed.add((first + others, year))
        assert "<em>" in entry
        assert not re.search(r"\d-\d+[.,)]", plain.partition("http")[0])
        # Every work is found, but for the package, which has no address yet.
        assert any(place in entry for place in WORKS) == ("pyexpr" not in first)
    assert cited == listed
    assert ("Chen", "2007") in listed


def test_cautions_stand_where_they_belong(page: Page) -> None:
    assert "There are only 3 subjects in the test part" in page.text
    assert "compare different criteria" in page.text
    assert "slopes are desparsified estimates" in page.text


def test_the_same_results_give_the_same_bytes(study_result: StudyResult, tmp_path: Path) -> None:
    other = study_report(study_result.folder, output=tmp_path / "new" / "r.html")
    assert other.read_bytes() == (study_result.folder / REPORT).read_bytes()


@pytest.fixture
def copy(study_result: StudyResult, tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    shutil.copytree(study_result.folder, folder, ignore=shutil.ignore_patterns("stages", "*.png"))
    return folder


def change(folder: Path, **parts: Any) -> None:
    path = folder / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for name, value in parts.items():
        *way, last = name.split("__")
        at = record
        for key in way:
            at = at[key]
        at[last] = value
    path.write_text(json.dumps(record), encoding="utf-8")


def rehashed(folder: Path) -> Path:
    """Have the record vouch for what a test put into the folder, as if a run had written it."""
    path = folder / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for name in record["files"]:
        if (folder / name).is_file():
            record["files"][name] = sha256(folder / name)
    path.write_text(json.dumps(sealed(record)), encoding="utf-8")
    return folder


def without_columns(path: Path, *names: str) -> None:
    """Make a table as earlier versions wrote it."""
    table = pd.read_csv(path).drop(columns=list(names))
    table.to_csv(path, index=False)


NASTY = '<script>alert(1)</script> & "x" </title>'


def test_what_a_user_named_is_text(copy: Path) -> None:
    change(copy, title=NASTY)
    for path in copy.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("startle", "<img src=x>"), encoding="utf-8")
    text = study_report(rehashed(copy)).read_text(encoding="utf-8")
    page = Page(text)
    assert NASTY.replace("  ", " ") in page.text
    assert page.loaded == []
    assert "<img src=x>" not in text
    assert text.count("<script>") == 1


def test_an_inadmissible_model_is_reported(copy: Path) -> None:
    change(copy, stages__factor_model__admissible=False, simulated=False)
    page = Page(study_report(rehashed(copy)).read_text(encoding="utf-8"))
    assert "A factor model is inadmissible" in page.text
    assert "These data are simulated" not in page.text


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("", "scores from the whole sample and from training subjects shows the effect of this"),
        ("no solution.", "the effect of this could not be estimated: no solution."),
    ],
)
def test_the_leak_of_scores_is_reported_or_why_not(copy: Path, reason: str, words: str) -> None:
    change(copy, **{"stages__models__no training-only scores because": reason})
    assert words in Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text


def test_what_slopes_are_adjusted_by_is_reported(page: Page, copy: Path) -> None:
    assert (
        "by Holm's method (Holm, 1979), and confidence intervals by Bonferroni's; slopes within"
        in page.text
    )
    change(copy, options__coefficients__adjust="max_t")
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert (
        "of the largest statistic (max- T ); slopes within each context and all contrasts" in text
    )
    change(copy, options__coefficients__adjust="none")
    page = Page(study_report(rehashed(copy)).read_text(encoding="utf-8"))
    assert "p values are not adjusted for multiple testing" in page.text
    assert "p values of slopes, contrasts and omnibus tests are not adjusted either" in page.text


def test_rows_of_the_weights_are_reported(copy: Path) -> None:
    change(copy, options__models__elastic_net__refit=True)
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert "elastic net in the training and validation parts" in text
    change(copy, options__coefficients__rows="all")
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert "elastic net in the whole sample" in text
    assert "models fitted again to the whole sample" in text


def test_invariance_that_was_not_tested_is_not_claimed(copy: Path) -> None:
    table = pd.read_csv(copy / "invariance.csv")
    table.assign(p_value=math.nan).to_csv(copy / "invariance.csv", index=False)
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert "were tested by leaving out one subject" not in text
    assert "Measurement invariance of the factor model over contexts was not tested" in text


def test_many_clips_lost_and_dropped_ratings_are_reported(copy: Path) -> None:
    change(
        copy,
        dropped={"ratings without a score": 12, "ratings without a recording": 0},
        **{"stages__models__left out": {"7 of 15 bins valid, 8 needed": 80}},
    )
    page = Page(study_report(rehashed(copy)).read_text(encoding="utf-8"))
    assert "and are not included in these numbers: 12 ratings without a score." in page.text
    assert ", 80 (" in page.text
    assert "were excluded from the models. If they differ" in page.text


def test_names_of_ours_are_small_within_a_sentence(html: str) -> None:
    texts = re.findall(r'<div id="[\w-]+-text">(.*?)</div>', html)
    results = unescape(re.sub(r"<[^>]+>", "", " ".join(texts[:4]))).replace("\u00a0", " ")
    assert " for the human baseline." in results
    assert "AU count (" in results
    assert not re.search(r"(?:was, for|;|:|and) (?:Uniform|Normal|Human|Points|Head)", results)


def test_where_contexts_have_other_subjects_each_is_counted(copy: Path) -> None:
    scores = pd.read_csv(copy / "scores.csv", dtype={"clip": str})
    gone = (scores["subject"] == scores["subject"].iloc[0]) & (scores["context"] == "pain")
    scores[~gone].to_csv(copy / "scores.csv", index=False)
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert "(startle: 15 subjects; pain: 14 subjects; disgust: 15 subjects)" in text


def test_one_of_a_thing_has_the_verb_of_one(copy: Path) -> None:
    change(
        copy,
        dropped={"ratings without a score": 1, "recordings without ratings": 1},
        **{"stages__models__left out": {"a feature is missing": 1}},
    )
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert "1 rating without a score and 1 recording without ratings." in text
    assert "1 was excluded from all models" in text


def test_where_there_is_no_interval_none_is_shown_in_a_sentence(copy: Path) -> None:
    for name in ("reliability", "comparison"):
        table = pd.read_csv(copy / f"{name}.csv", dtype={"subject": str})
        limits = [one for one in table if str(one).startswith(("conf_low", "conf_high"))]
        table.assign(**dict.fromkeys(limits, math.nan)).to_csv(copy / f"{name}.csv", index=False)
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert "CI \u2014" not in text
    assert "no 95% CI could be computed" in text
    assert re.search(r"ICC\(1, k \) ranged from \.\d+ \(\w+, \w+\) to", text)


def test_contexts_that_differ_in_their_capital_alone_stay_apart(copy: Path) -> None:
    for path in copy.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("startle", "Pain"), encoding="utf-8")
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert "in three contexts (Pain, pain, and disgust)" in text
    assert " Pain: α" in text
    assert " pain: α" in text
    assert " in pain, " in text
    assert " in Pain, " in text


def test_a_context_may_have_a_minus_in_its_name(copy: Path) -> None:
    for path in copy.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("startle", "pre - post"), encoding="utf-8")
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert "in three contexts (pre - post, pain, and disgust)" in text
    # In its place, before "All", and told from the differences of contexts.
    assert "Model pre - post Pain Disgust All" in text
    assert "Pain − pre - post" in text


def test_what_the_user_wrote_large_stays_large_within_a_sentence(copy: Path) -> None:
    for path in copy.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"\bmotion\b", "Bewegung (AU)", text), encoding="utf-8")
    text = Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).text
    assert "questions (response, emotion, and Bewegung (AU))" in text
    assert "bewegung" not in text


def without(folder: Path, *names: str) -> None:
    """Take files out of the record, as of a run that did not write them."""
    files = json.loads((folder / "record.json").read_text(encoding="utf-8"))["files"]
    change(folder, files={name: text for name, text in files.items() if name not in names})


def test_learning_curves_are_shown_where_there_are_any(copy: Path) -> None:
    shutil.copy(copy / "figures" / "quality.svg", copy / "figures" / "learning_curves.svg")
    curves = pd.DataFrame(
        {"context": ["all", "all"], "model": "openface_lstm", "epoch": [1, 2],
         "train": [0.9, 0.5], "validation": [1.0, None]}
    )  # fmt: skip
    curves.to_csv(copy / "learning_curves.csv", index=False)
    # Of another run, or the user's own: not of the results that the record lists.
    assert (
        "learning-curves"
        not in Page(study_report(rehashed(copy)).read_text(encoding="utf-8")).sections
    )
    files = json.loads((copy / "record.json").read_text(encoding="utf-8"))["files"]
    ours = dict.fromkeys(["learning_curves.csv", "figures/learning_curves.svg"], "")
    change(copy, files=files | ours)
    page = Page(study_report(rehashed(copy)).read_text(encoding="utf-8"))
    assert "learning-curves" in page.sections
    assert "Learning Curves: Errors by Epoch (2 rows)" in page.text
    assert "nan" not in page.text.split()


def test_invariance_is_shown_or_reported_as_untested(copy: Path) -> None:
    words = "Measurement invariance of the factor model over contexts was not tested"
    assert (copy / "invariance.csv").is_file()
    page = Page(study_report(rehashed(copy)).read_text(encoding="utf-8"))
    assert "table-invariance" in page.ids
    assert words not in page.text
    # The file is still there, but this run did not write it.
    without(copy, "invariance.csv")
    page = Page(study_report(rehashed(copy)).read_text(encoding="utf-8"))
    assert "table-invariance" not in page.ids
    assert words in page.text


@pytest.fixture(scope="module")
def one_context(study_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a study of one context; some of its clips are in one table alone."""
    ratings, recordings = tables_of(study_folder)
    first, second, *_ = sorted(set(ratings["subject"]))
    rated = ratings[(ratings["context"] == "pain") & (ratings["subject"] != first)]
    recorded = recordings[(recordings["context"] == "pain") & (recordings["subject"] != second)]
    file = variant(
        study_folder,
        tmp_path_factory.mktemp("one") / "study",
        ratings=rated,
        recordings=recorded,
        toml="[compare]\nn_boot = 50\n[coefficients]\nn_boot = 50\n",
    )
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("[data]", '[data]\nunmatched = "drop"'), encoding="utf-8")
    result = Study.from_file(file).run(progress=False)
    return (result.folder / REPORT).read_text(encoding="utf-8")


def test_with_one_context_no_sentence_is_about_several(one_context: str) -> None:
    words = Page(one_context).text
    assert re.findall(r"[^.]*\b(?:contexts|Contexts|over all)\b[^.]*", words) == []
    # What is "over all" would repeat it.
    assert not re.search(r"<t[dh][^>]*>(?:<button[^>]*>)?All<", one_context)
    assert "recorded in one context (pain)" in words
    assert code_names(one_context) == []


def test_one_model_alone_is_compared_with_none(
    study_result: StudyResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = variant(
        study_result.folder.parent,
        tmp_path / "study",
        toml='[baselines]\nuniform = false\nnormal = false\nhuman = "none"\n'
        '[compare]\nmethods = ["bca"]\nmetrics = ["r2", "bias"]\nn_boot = 50\n'
        '[coefficients]\nn_boot = 50\nadjust = "none"\n',
    )
    shutil.copytree(study_result.folder / "stages", tmp_path / "study" / "results" / "stages")
    result = Study.from_file(file).run(progress=False)
    text = (result.folder / REPORT).read_text(encoding="utf-8")
    words = Page(text).text
    assert "table-differences" not in Page(text).ids
    assert "Not computed: uniform baseline, normal baseline, and human baseline." in words
    # Nothing before it was not adjusted.
    assert "p values of slopes, contrasts and omnibus tests are not adjusted." in words
    assert "comparison are not adjusted" not in words
    assert code_names(text) == []
    print_summary(result)
    assert "Report: " in capsys.readouterr().out


def test_what_stands_in_one_table_alone_is_counted_once(one_context: str) -> None:
    words = Page(one_context).text
    assert "126 ratings without a recording (of 7 clips) and 1 recording without ratings" in words
    rated = int(re.search(r"(\d+) clips were rated", words)[1])  # type: ignore[index]
    lost = int(re.search(r"rated and recorded, (\d+) w", words)[1])  # type: ignore[index]
    parts = map(int, re.findall(r"\d+ subjects \((\d+) clips\)", words))
    assert rated == 91
    assert sum(parts) + lost == rated
    table = re.search(r'<table id="table-clips-left-out".*?</table>', one_context, re.DOTALL)
    assert table
    rows = re.findall(r"<tr>(.*?)</tr>", table[0])
    early = [row for row in rows if "before any analysis" in row]
    later = [int(re.findall(r">(\d+)<", row)[0]) for row in rows if "of the models" in row]
    assert len(early) == 2
    assert sum(later) == lost


def test_one_context_without_contrasts(copy: Path) -> None:
    names = ("contrasts", "omnibus", "tuning", "scores_leakage")
    without(copy, *(f"{name}.csv" for name in names))
    page = Page(study_report(rehashed(copy)).read_text(encoding="utf-8"))
    assert "table-contrasts" not in page.ids
    assert "Training Subjects Alone" not in page.text


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda f: shutil.rmtree(f), "there is no folder"),
        (lambda f: (f / "record.json").unlink(), "holds no results of a study"),
        (lambda f: (f / "record.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "record.json").write_text("[]"), "is not the record of a study"),
        (lambda f: (f / "comparison.csv").unlink(), "does not contain comparison.csv"),
        (lambda f: (f / "invariance.csv").unlink(), "does not contain invariance.csv"),
        (lambda f: (f / "figures/quality.svg").unlink(), "does not contain figures/quality.svg"),
        (lambda f: change(f, files=None), "does not list the run's files"),
        (lambda f: (f / "weights.csv").write_text(""), "weights.csv"),
        (lambda f: (f / "reliability.csv").write_text("a,b\n1,2\n"), "no column"),
        (lambda f: (f / "figures" / "quality.svg").write_text("<svg"), "not an SVG"),
        (lambda f: change(f, options={"seed": -1}), "not those of this version"),
        (lambda f: change(f, stages={}), "cannot be shown"),
        (
            lambda f: without_columns(f / "comparison.csv", "kind", "first_model"),
            r"comparison\.csv does not identify what its rows compare: it has no column 'kind', "
            r"'first_model' .*; run the study again",
        ),
        (lambda f: without_columns(f / "contrasts.csv", "first_context"), "run the study again"),
    ],
)
def test_incomplete_results_are_named(copy: Path, harm: Any, words: str) -> None:
    harm(copy)
    # What a record says that is none is told before any hash is looked at.
    with suppress(OSError, ValueError, TypeError):
        rehashed(copy)
    with pytest.raises(StudyError, match=words) as caught:
        study_report(copy)
    assert "\n" not in str(caught.value)


def test_a_report_that_cannot_be_written(study_result: StudyResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write into"):
        study_report(study_result.folder, output=tmp_path / "file" / "r.html")


def test_the_run_and_the_folder_give_one_page(study_result: StudyResult, tmp_path: Path) -> None:
    # The run hands its tables over; from the folder they are read.
    written = (study_result.folder / "report.html").read_bytes()
    again = study_report(study_result.folder, output=tmp_path / "again.html")
    assert again.read_bytes() == written
