"""Links and citations lead somewhere: from page to page, and from the code to a heading of a page."""

import re
from pathlib import Path

import pytest

from cgdmer_jax.metrics.results import FIGURES, KEY
from cgdmer_jax.metrics.score_key import ScoreKey
from tests.test_architecture import ALLOWED, EVERYWHERE

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
ROOMS = ("cgdmer_jax", "experiments", "baselines", "benchmarks", "configs", "tests")
CODE = sorted([*(f for room in ROOMS for f in (ROOT / room).rglob("*.py")), ROOT / "setup.cfg", ROOT / "Makefile"])
CITED = re.compile(r'(?<![\w/.:-])([\w./-]+\.md)(?:, "([^"]+)"(?: and "([^"]+)")?)?')
UNPUBLISHED = re.compile(r"\bDESIGN\b(?: \d+)?")  # the brief that the project was built from; users do not have it


def headings(page: Path) -> list[str]:
    without_code = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    return re.findall(r"^#+ (.+)$", without_code, re.M)


def unnumbered(heading: str) -> str:
    return re.sub(r"^[\d.]+ ", "", heading)


def anchor(heading: str) -> str:
    """The name that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def broken_links(page: Path, text: str) -> list[str]:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+://", target):
            continue
        name, _, place = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (place and place not in map(anchor, headings(file))):
            broken.append(target)
    return broken


def broken_citations(text: str) -> list[str]:
    """Pages that the repository does not contain, and headings that they do not have."""
    text = re.sub(r"\s*\n\s*(?:# ?)?", " ", text).replace('\\"', '"')
    broken = UNPUBLISHED.findall(text)
    for name, *cited in CITED.findall(text):
        if Path(name).name == "README.md":  # a model folder has one too
            continue
        page = next((p for p in (ROOT / name, ROOT / "docs" / name) if p.is_file()), None)
        if page is None:
            broken.append(name)
        else:
            known = set(map(unnumbered, headings(page)))
            broken += [f'{name}, "{heading}"' for heading in cited if heading and heading not in known]
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_heading_that_exist(page):
    assert not broken_links(page, page.read_text())


def test_every_page_that_the_code_cites_is_in_the_repository_and_has_the_heading():
    broken = {
        str(file.relative_to(ROOT)): broken_citations(file.read_text()) for file in CODE if file != Path(__file__)
    }
    assert not {file: cited for file, cited in broken.items() if cited}


def test_every_document_can_be_reached_from_the_readme():
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            linked = re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", page.read_text())
            ahead += [(page.parent / name).resolve() for name in linked if "://" not in name]
    assert set(PAGES) <= reached


def test_the_table_of_rooms_says_what_the_architecture_test_allows():
    """`all above` means the rooms of the rows before, without or with those that follow by name."""
    table = re.search(r"^\| room \|.*?\n\n", (ROOT / "docs/design.md").read_text(), re.M | re.S)[0]
    described: dict[str, set[str]] = {}
    for line in table.strip().splitlines()[2:]:
        rooms, _, allowed = (cell.strip() for cell in line.strip("|").split("|"))
        named = set(re.findall(r"`([\w.]+)`", allowed))
        if allowed.startswith("all above"):
            named = described.keys() - named if " but " in allowed else described.keys() | named
        described |= dict.fromkeys(re.findall(r"`([\w.]+)`", rooms), named)
    assert described.keys() == ALLOWED.keys()
    for room, named in described.items():
        assert named | EVERYWHERE | {room} == ALLOWED[room] | EVERYWHERE | {room}, room


def test_the_design_lists_the_fields_of_a_results_row_in_their_order():
    results = re.search(r"^### 2\.9 Results\n(.*?)^## ", (ROOT / "docs/design.md").read_text(), re.M | re.S)[1]
    keys, figures = re.search(r"key fields \(([^)]+)\).*?the figures are\s+([^.]+)\.", results, re.S).groups()
    assert re.findall(r"`(\w+)`", keys) == KEY and set(ScoreKey._fields) <= set(KEY)
    assert tuple(re.findall(r"`(\w+)`", figures)) == FIGURES


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ('as docs/design.md, "Rooms" says', []),
        ('as docs/design.md,\n# "Rooms" and "Store" say', []),
        ('docs/design.md, "Rooms" and "Attic"', ['docs/design.md, "Attic"']),
        ("(stack.md 4)", ["stack.md"]),
        ("what DESIGN 1 allows", ["DESIGN 1"]),
    ],
)
def test_a_citation_of_what_is_not_there_is_told(text, broken):
    assert broken_citations(text) == broken


def test_a_link_to_what_is_not_there_is_told():
    text = "[a](docs/nowhere.md) [b](docs/design.md#attic) [c](docs/design.md#1-rooms) [d](https://example.org/x)"
    assert broken_links(ROOT / "README.md", text) == ["docs/nowhere.md", "docs/design.md#attic"]
