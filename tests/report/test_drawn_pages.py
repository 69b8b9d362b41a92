"""The pages of docs/synthetic.md are what `make pages` draws today; the generator gives the same bytes everywhere."""

from experiments import draw_pages
from tests.small_runs import ROOT


def test_the_synthetic_pages_in_the_docs_are_those_of_todays_code(tmp_path):
    draw_pages.main([f"--out={tmp_path}"])
    drawn = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    kept = {file.name: file.read_bytes() for file in (ROOT / "docs/img").glob("synthetic_*.svg")}
    assert len(drawn) == 12 and drawn.keys() == kept.keys()
    assert [name for name in sorted(drawn) if drawn[name] != kept[name]] == [], "run `make pages`"
