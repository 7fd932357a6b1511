"""The report: one page that stands alone, with the right numbers and lines in the right places."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from SpineMeasureLib.errors import DependencyError, OutputError
from SpineMeasureLib.export.case_files import write_report_files
from SpineMeasureLib.export.report import pdf
from SpineMeasureLib.export.report.page import FIELDS, NOT_FOR_DIAGNOSIS, ReportOptions, report_html, write_report
from SpineMeasureLib.export.report.picture import png
from SpineMeasureLib.export.report.rows import shown
from SpineMeasureLib.export.report.text import report_text
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.measure import measure
from SpineMeasureLib.measure.definitions import definition, disc_levels
from SpineMeasureLib.measure.types import Acceptance, Measurement
from SpineMeasureLib.measure.units import number
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

Case = tuple[Volume, SpineSegmentation, list[Measurement]]


@pytest.fixture(scope="module")
def case(sample_folder: Path) -> Case:
    """The sample, with one line edited and none accepted."""
    volume = read_volume(sample_folder / "lumbar_t2.nii.gz")
    segmentation = segmentation_from_labels(read_volume(sample_folder / "lumbar_t2_labels.nii.gz"))
    rows = measure(segmentation)
    place = next(n for n, m in enumerate(rows) if m.key == ("L4-L5", "disc_height_middle", "chord50"))
    value = rows[place].value
    assert value is not None
    rows[place] = replace(rows[place], value=value + 1, source="edited", automatic=rows[place]).flagged("edited")
    return volume, segmentation, rows


@pytest.fixture(scope="module")
def page(case: Case) -> str:
    return report_html(*case, ReportOptions())


class _Cells(HTMLParser):
    """Texts of the table rows of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attributes: object) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def level_block(page: str, level: str) -> str:
    """The part of the page that is about one disc."""
    return next(b for b in page.split('<section class="level">')[1:] if f"<figcaption>{level}:" in b)


def test_the_page_stands_alone(page: str) -> None:
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:image/png;base64,)', page)
    assert "url(" not in page and "http" not in re.sub(r"doi\S+", "", page)


def test_it_says_what_it_is_and_how_it_was_made(page: str, case: Case) -> None:
    assert NOT_FOR_DIAGNOSIS in page
    assert "spinemeasure 0" in page
    for name in FIELDS:
        assert f"<dt>{name}</dt>" in page
    for m in shown(case[2]):
        assert definition(m.quantity, m.method).title in page


def test_tables_show_automatic_accepted_and_reference_values(page: str, case: Case) -> None:
    rows = {m.key: m for m in case[2]}
    parser = _Cells()
    parser.feed(level_block(page, "L4-L5"))
    cells = {row[0]: row for row in parser.rows}
    middle = rows["L4-L5", "disc_height_middle", "chord50"]
    assert middle.automatic
    assert cells["L4-L5"] == ["L4-L5", "value", "", "automatic", "reference mean", "remarks"]
    wanted = [number(middle.value, "mm") + "e", "mm", number(middle.automatic.value, "mm"), ""]
    assert cells["Disc height, middle"][1:5] == wanted
    anterior = rows["L4-L5", "disc_height_anterior", "chord10"]
    assert cells["Disc height, anterior"][1:5] == [number(anterior.value, "mm"), "mm", "", "10.91"]
    assert "low confidence" in cells["Canal area, disc level"][5]
    assert "Onishi" in page


def test_every_level_has_a_picture_with_its_lines_in_true_length(page: str, case: Case) -> None:
    rows = {m.key: m for m in case[2]}
    for level in disc_levels(case[2]):
        block = level_block(page, level)
        lines = re.findall(r'<line x1="([\d.-]+)" y1="([\d.-]+)" x2="([\d.-]+)" y2="([\d.-]+)"', block)
        assert len(lines) == 5
        anterior, middle, posterior = (np.array(line, float).reshape(2, 2) for line in lines[1:4])
        m = rows[level, "disc_height_middle", "chord50"]
        m = m.automatic or m
        assert np.linalg.norm(middle[0] - middle[1]) == pytest.approx(m.value, abs=0.02)
        assert anterior[0, 0] < middle[0, 0] < posterior[0, 0]  # anterior is on the left
        assert middle[0, 1] < middle[1, 1]  # superior is above


def test_numbers_stay_inside_their_picture(case: Case) -> None:
    """Also of a disc that reaches out of the picture in front."""
    volume, segmentation, rows = case
    depth = next(m for m in rows if m.key == ("L4-L5", "disc_depth", "depth50"))
    assert depth.p1 and depth.p2 and depth.plane
    longer = replace(depth, value=61.2, p1=tuple(p + 9 * (p - q) / 33 for p, q in zip(depth.p1, depth.p2, strict=True)))
    page = report_html(volume, segmentation, [longer if m is depth else m for m in rows], ReportOptions())
    x = float(re.findall(r'<text x="([\d.-]+)"[^>]*text-anchor="end"[^>]*>61\.2<', level_block(page, "L4-L5"))[0])
    assert x >= 8.0  # the number takes about 8 mm to the left of this


def test_what_all_values_of_a_level_share_is_said_once(case: Case) -> None:
    volume, segmentation, rows = case
    key = ("L2-L3", "cord_ap", "disc_level")
    doubtful = [m.flagged("low_confidence") if m.level == "L2-L3" and m.value is not None else m for m in rows]
    empty = replace(
        next(m for m in rows if m.key[0] == "L2-L3"), quantity=key[1], method=key[2], value=None, note="why"
    )
    doubtful = [*(m for m in doubtful if m.key != key), empty]  # which cannot be of low confidence
    block = level_block(report_html(volume, segmentation, doubtful, ReportOptions()), "L2-L3")
    assert block.count("low confidence") == 1
    assert "All values: low confidence." in block


def test_the_state_counts_what_is_accepted_edited_and_doubtful(case: Case) -> None:
    volume, segmentation, rows = case
    count = sum(m.value is not None for m in shown(rows))
    low = sum("low_confidence" in m.flags for m in shown(rows) if m.value is not None)
    page = report_html(volume, segmentation, rows, ReportOptions())
    told = f"1 of {count} values edited by hand. No values accepted."
    assert told in page and told in report_text(segmentation, rows)
    assert f"{low} of {count} values have low confidence." in page
    untouched = [replace(m.automatic or m, flags=()) for m in rows]
    page = report_html(volume, segmentation, untouched, ReportOptions())
    assert "Automatic values, not yet accepted.</p>" in page
    everything = [replace(m, accepted=Acceptance("", "")) for m in untouched]
    assert "All values accepted (reviewer not recorded)." in report_text(segmentation, everything)
    named = [replace(m, accepted=Acceptance(reviewer, "")) for m, reviewer in zip(rows, cycle("AB"), strict=False)]
    assert "All values accepted by A, B." in report_text(segmentation, named)
    some = [replace(m, accepted=Acceptance("R", "")) if m.quantity == "canal_ap" else m for m in untouched]
    accepted = sum(m.accepted is not None and m.value is not None for m in shown(some))
    assert f"{accepted} of {count} values accepted by R." in report_text(segmentation, some)


def test_edits_that_nobody_accepted_are_reported_at_the_head(case: Case) -> None:
    volume, segmentation, rows = case
    count = sum(m.value is not None for m in shown(rows))
    told = f"1 of {count} values was edited by hand but not accepted."
    page = report_html(volume, segmentation, rows, ReportOptions())
    assert f'<p class="warn">{told}</p>' in page[: page.index('<section class="summary">')]
    assert told.upper() in report_text(segmentation, rows).splitlines()[:2]
    one = [replace(m, accepted=Acceptance("R", "")) if m.automatic else m for m in rows]
    for values, options in ((one, ReportOptions()), (rows, ReportOptions(accepted_by="R"))):
        assert "and not accepted" not in report_html(volume, segmentation, values, options)
        assert "NOT ACCEPTED" not in report_text(segmentation, values, options.accepted_by)


def test_an_accepted_case_shows_every_value_as_accepted(case: Case) -> None:
    parser = _Cells()
    parser.feed(level_block(report_html(*case, ReportOptions(accepted_by="R. Reader")), "L4-L5"))
    cells = [row for row in parser.rows if row[0] not in ("L4-L5",)]
    assert len(cells) > 10
    assert all(row[4] == ("" if row[1] == "\u2013" else "\u2713") for row in cells)


def test_columns_that_the_case_does_not_need_are_left_out(case: Case) -> None:
    volume, segmentation, rows = case
    plain = [replace(m.automatic or m, reference=None) for m in rows]
    parser = _Cells()
    parser.feed(level_block(report_html(volume, segmentation, plain, ReportOptions()), "L4-L5"))
    assert parser.rows[0] == ["L4-L5", "value", "", "remarks"]


def test_a_note_on_a_value_is_a_remark(case: Case) -> None:
    volume, segmentation, rows = case
    key = ("L4-L5", "canal_compression", "1-mi/mean(ma,mb)")
    noted = [replace(m, value=-0.06, note="negative: not narrowed here") if m.key == key else m for m in rows]
    block = level_block(report_html(volume, segmentation, noted, ReportOptions()), "L4-L5")
    assert "negative: not narrowed here" in block


def test_missing_values_come_with_their_reason(page: str) -> None:
    assert "disc height index: the body above is not completely in view" in level_block(page, "T11-T12")


def test_unverified_levels_are_said_aloud(case: Case) -> None:
    volume, segmentation, rows = case
    text = report_html(volume, replace(segmentation, level_verified=False), rows, ReportOptions())
    assert "level names are not verified" in text
    assert "NOT VERIFIED" in report_text(replace(segmentation, level_verified=False), rows)


def test_texts_of_the_user_are_shown_and_escaped(case: Case) -> None:
    options = ReportOptions({"Patient": "<b>Doe</b> & son", "Ward": "7"}, accepted_by="<i>R</i>")
    text = report_html(*case, options)
    assert "&lt;b&gt;Doe&lt;/b&gt; &amp; son" in text
    assert "<dt>Ward</dt>" in text
    assert "Accepted by &lt;i&gt;R&lt;/i&gt;." in text


def test_a_png_reads_back(tmp_path: Path) -> None:
    import SimpleITK as sitk

    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3)).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(png(pixels))
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.png"))), pixels)


def test_pictures_show_the_image(page: str) -> None:
    for data in re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page):
        assert base64.b64decode(data)[:4] == b"\x89PNG"
    assert page.count("data:image/png") == 8  # the spine and seven discs


def test_the_text_is_plain_and_has_a_line_for_each_level(case: Case) -> None:
    text = report_text(case[1], case[2], "R. Reader")
    assert text.isascii() and "\t" not in text
    for level in disc_levels(case[2]):
        assert sum(line.startswith(f"{level}: ") for line in text.splitlines()) == 1
    assert "* edited by hand." in text
    assert "Accepted by R. Reader." in text
    assert text.endswith(NOT_FOR_DIAGNOSIS + "\n")


def test_a_name_with_umlauts_is_whole_in_the_text_file(case: Case, tmp_path: Path) -> None:
    write_report_files(tmp_path, *case, ReportOptions(accepted_by="J\u00fcrgen M\u00fcller"))
    assert "Accepted by J\u00fcrgen M\u00fcller." in (tmp_path / "report.txt").read_text(encoding="utf-8")


def test_without_a_browser_the_user_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "find_browser", lambda: None)
    with pytest.raises(DependencyError, match=r"The PDF was not created: .* Open report\.html"):
        pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 7", "browser exited with code 7"),
        ("exec sleep 9", "browser took more than 0.1 s"),
        (None, "not be started"),
    ],
)
def test_why_there_is_no_pdf_is_told_and_an_earlier_one_is_not_left_beside_the_new_page(
    script: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = program(tmp_path / "browser", script) if script else tmp_path / "nothing"
    monkeypatch.setattr(pdf, "find_browser", lambda: str(browser))
    monkeypatch.setattr(pdf, "_SECONDS", 0.1 if "sleep" in str(script) else 10)
    (tmp_path / "report.pdf").write_bytes(b"%PDF- of yesterday")
    with pytest.raises(OutputError, match=rf"The PDF was not created: .*{why}\. Open report\.html in a browser"):
        pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()


def test_the_browser_gets_the_variables_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = program(tmp_path / "browser", f'echo "$LIBRARIES" > {tmp_path}/told')
    monkeypatch.setattr(pdf, "find_browser", lambda: str(browser))
    monkeypatch.setenv("LIBRARIES", "of Slicer")
    for environment, told in ((None, "of Slicer"), ({"LIBRARIES": "of the system"}, "of the system")):
        with pytest.raises(OutputError):
            pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf", environment)
        assert (tmp_path / "told").read_text().strip() == told


def program(path: Path, script: str) -> Path:
    """A shell script that can be run."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.slow
@pytest.mark.skipif(not (pdf.find_browser() and shutil.which("pdfinfo")), reason="no browser or no poppler-utils")
@pytest.mark.parametrize(("paper", "size"), [("a4", "A4"), ("letter", "letter")])
def test_the_pdf_has_the_paper_and_shows_its_first_page(case: Case, paper: str, size: str, tmp_path: Path) -> None:
    write_report(*case, tmp_path / "report.html", ReportOptions(paper=paper))
    pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    told = subprocess.run(["pdfinfo", str(tmp_path / "report.pdf")], capture_output=True, text=True, check=True).stdout
    assert f"({size})" in told
    text = subprocess.run(
        ["pdftotext", str(tmp_path / "report.pdf"), "-"], capture_output=True, encoding="utf-8", check=True
    )
    assert NOT_FOR_DIAGNOSIS in text.stdout and "L5-S1" in text.stdout
