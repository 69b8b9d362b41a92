"""Building blocks of the report's tables: cells with intervals, plain names, rows chosen by their fields."""

from collections.abc import Mapping, Sequence
from html import escape

from cgdmer_jax.metrics.protocols import NO_SIGNALS, has_no_signals

Row = Mapping[str, object]  # of results.json
ClassNames = Mapping[str, Mapping[str, str]]  # task -> code -> name; of a file without names, empty


def table(caption: str, head: Sequence[str], n_words: int, body: Sequence[str]) -> str:
    """`n_words` columns of words, then columns of figures."""
    heads = "".join(
        f'<th scope="col"{" class=" + chr(34) + "figure" + chr(34) if i >= n_words else ""}>{escape(h)}</th>'
        for i, h in enumerate(head)
    )
    return boxed(f"<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody>", caption)


def facts_table(caption: str, facts: Mapping[str, str]) -> str:
    """A name and its words in each line."""
    lines = "".join(f'<tr><th scope="row">{escape(k)}</th><td>{escape(v)}</td></tr>' for k, v in facts.items())
    return boxed(f"<tbody>{lines}</tbody>", caption, kind="facts")


def boxed(content: str, caption: str, kind: str = "figures") -> str:
    """A table in a box of its own, in which it is scrolled (by a keyboard too) where it is wider than the screen."""
    start = f'<table class="{kind}"><caption><span>{escape(caption)}</span></caption>'
    return f'<div class="wide" tabindex="0">{start}{content}</table></div>'


def line(words: Sequence[str], cells: Sequence[str], *, own: bool) -> str:
    """One line of a table: the last of the words is its heading; `own` is printed bold."""
    first = "".join(f"<td>{escape(word)}</td>" for word in words[:-1])
    start = '<tr class="own">' if own else "<tr>"
    return f'{start}{first}<th scope="row">{escape(words[-1])}</th>{"".join(cells)}</tr>'


def cell(row: Row | None, *, signed: bool = False, digits: int = 3) -> str:
    """Value and interval."""
    if row is None or row["value"] is None:
        words = NO_SIGNALS if row is not None and has_no_signals(row) else "n/a"
        return f'<td class="figure">{words}</td>'
    style = f"{'+' if signed else ''}.{digits}f"
    value, low, high = (None if row[k] is None else format(row[k], style) for k in ("value", "low", "high"))
    between = "" if low is None else f' <span class="interval">[{low}, {high}]</span>'
    return f'<td class="figure">{value}{between}</td>'


def text_cell(row: Row | None) -> str:
    """The same for a terminal or Markdown."""
    if row is None or row["value"] is None:
        return NO_SIGNALS if row is not None and has_no_signals(row) else "n/a"
    return f"{row['value']:.3f}" + ("" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]")


def terminal_lines(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells for a terminal, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]


def count_cell(count: int) -> str:
    return f'<td class="figure">{count:,}</td>'


def name_of(row: Row) -> str:
    """Method, feature and variant, each once."""
    parts = [row["method"], row["feature"], row["variant"]]
    return " · ".join(dict.fromkeys(plain(part) for part in parts if part))


def coded(names: ClassNames, task: str, code: str) -> str:
    """The code of a class with its name, where that is known."""
    name = names.get(task, {}).get(code)
    return f"{code}: {name}" if name else code


def plain(name: str) -> str:
    return name.replace("_", " ")


def select(rows: Sequence[Row], wanted: Mapping[str, object]) -> list[Row]:
    return [row for row in rows if all(row[field] == value for field, value in wanted.items())]


def values_of(rows: Sequence[Row], field: str) -> list:
    """The different values of a field, in order met."""
    return list(dict.fromkeys(row[field] for row in rows))


def only(rows: Sequence[Row], wanted: Mapping[str, object]) -> Row | None:
    """The row of these fields, or None."""
    found = select(rows, wanted)
    return found[0] if found else None
