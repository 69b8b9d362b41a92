"""The shell of report.html: contents, style for the screen and for A4, and a policy that forbids the network."""

import re
from collections.abc import Sequence
from html import unescape

from cgdmer_jax.errors import visible
from cgdmer_jax.report.shown import escape

SAFE_IN_CSS = re.compile(r"[A-Za-z0-9 ,.-]")
DISCLAIMER = "Research software, not a medical device: not for the diagnosis or triage of any patient."
# No script and nothing from outside, even if a text from elsewhere slipped through as markup.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

STYLE = """
body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #222; background: #fff; max-width: 1120px;
  margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
.skip { position: absolute; left: -100vw; } .skip:focus { position: static; }
:focus-visible { outline: 3px solid #0b4fb3; outline-offset: 2px; } a { color: #0b4fb3; }
.warning { border: 1px solid #b36b00; background: #fff7e8; padding: .4rem .8rem; margin: .8rem 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; margin: 0; padding: 0; }
.terms { max-width: 46rem; color: #444; } .terms dt { float: left; clear: left; font-weight: bold; margin-right: .5em; }
.terms dd { margin: 0; } .words { max-width: 46rem; }
table { border-collapse: collapse; margin: .5rem 0 1rem; min-width: min(100%, 38rem); }
caption { text-align: left; color: #555; padding: .2rem 0 .4rem; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd; text-align: left;
  vertical-align: top; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; }
td.figure, .interval { white-space: nowrap; } .interval { color: #666; font-size: .87em; }
tbody th { font-weight: normal; }
tr.own td, tr.own th { font-weight: bold; } tr.own .interval { font-weight: normal; }
.facts td { overflow-wrap: anywhere; } .facts th { min-width: 8rem; }
.plots { display: flex; flex-wrap: wrap; gap: 1.2rem; } figure { margin: .4rem 0; max-width: 100%; }
figcaption { color: #555; overflow-wrap: anywhere; } svg { max-width: 100%; height: auto; }
.near { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: .6rem 1.2rem; }
.found { max-width: 46rem; font-size: 1.07rem; margin: .4rem 0; }
/* A table that is wider than its place is scrolled in its own box; its caption stays where it can be read. */
.wide { overflow-x: auto; max-width: 100%; }
/* A shadow at an edge beyond which there is more: its cover moves with the table, and is higher than the box lest a
   fraction of a pixel show below. */
@media screen { .wide { background:
  linear-gradient(90deg, #fff 40%, #fff0) left top / 3rem 200% local no-repeat,
  linear-gradient(270deg, #fff 40%, #fff0) right top / 3rem 200% local no-repeat,
  linear-gradient(90deg, #0004, #0000) left / .8rem 100% scroll no-repeat,
  linear-gradient(270deg, #0004, #0000) right / .8rem 100% scroll no-repeat; } }
.wide caption span { position: sticky; left: 0; display: inline-block;
  max-width: min(100%, calc(100vw - 3.5rem)); }
@media (max-width: 700px) {
  body { padding: .8rem; } th, td { padding-right: .5rem; } .wide caption span { max-width: calc(100vw - 2rem); }
  .figures .interval { display: block; }
}
@page { size: A4; margin: 14mm 12mm; RUNNING }
@page ecg { size: A4 landscape; margin: 8mm; }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 9.5pt; } nav, .skip { display: none; }
  h1, h2, h3, h2 + p, .before, caption { break-after: avoid; } figure, tr { break-inside: avoid; }
  .wide { overflow: visible; break-inside: avoid; } .wide caption span { display: inline; }
  .ecg svg { max-width: none; }
  .plots { display: block; } .near { grid-template-columns: 1fr 1fr; }
  .sheet { page: ecg; break-before: page; } .sheet h2 { margin: 0; font-size: 1rem; }
  /* Heart rate and remarks stay on the sheet of their ECG. */
  .sheet figure { margin: 0; } .sheet p, .sheet ul { margin: .1rem 0; padding: 0; max-width: none; line-height: 1.3; }
  .sheet h3 { float: left; margin: 0 .6em 0 0; font-size: inherit; line-height: 1.3; }
  .sheet li { display: inline; } .sheet li + li::before { content: "; "; }
  /* A page wider than its paper would be shrunk by the browser, the ECG with it. */
  table { max-width: 100%; } td.figure { white-space: normal; }
  th, td { padding-right: .5rem; }
  .interval { display: block; }
}
"""
# In the margins of a sheet: a browser that knows no boxes there leaves them out.
RUNNING = """@top-left { content: "WORDS"; font: 8pt Helvetica, Arial, sans-serif; color: #444; }
  @top-right { content: counter(page) " / " counter(pages); font: 8pt Helvetica, Arial, sans-serif; color: #444; }"""


def document(title: str, found: str, running: str, parts: Sequence[str]) -> str:
    """The whole page; every h2 of the parts is a line of the contents.

    `found` (HTML) stands below the title, and `running` at the head of every printed sheet, with its number.
    """
    style = STYLE.replace("RUNNING", RUNNING.replace("WORDS", css_string(visible(running))))
    body, contents = _with_contents("\n".join(part for part in parts if part))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#report">Skip the contents</a>\n'
        f'<header><h1>{escape(title)}</h1>\n{found}\n<p class="warning">{DISCLAIMER}</p></header>\n'
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav>\n'
        f'<main id="report" tabindex="-1">\n{body}\n</main>\n<footer><p>{DISCLAIMER}</p></footer>\n</body>\n</html>\n'
    )


def css_string(words: str) -> str:
    """A string of a style sheet; whatever could end it, or the sheet, is written by its number."""
    return "".join(one if SAFE_IN_CSS.fullmatch(one) else f"\\{ord(one):x} " for one in words)


def ecg_figure(svg: str, caption: str) -> str:
    """An ECG of ecg_paper.py: in true millimetres where the screen is wide enough, and always on paper."""
    return f'<figure class="ecg">{svg}<figcaption>{escape(caption)}</figcaption></figure>'


def sheet(parts: Sequence[str]) -> str:
    """Content printed on landscape pages of its own, where an ECG fits in true millimetres."""
    return '<div class="sheet">\n' + "\n".join(parts) + "\n</div>"


def _with_contents(body: str) -> tuple[str, str]:
    """The body with an id on every h2, and the list of links to them."""
    links: list[str] = []

    def named(heading: re.Match) -> str:
        name = re.sub(r"[^a-z0-9]+", "-", unescape(heading[1]).lower()).strip("-")
        links.append(f'<li><a href="#{name}">{heading[1]}</a></li>')
        return f'<h2 id="{name}">{heading[1]}</h2>'

    body = re.sub(r"<h2>(.*?)</h2>", named, body)
    return body, "".join(links)
