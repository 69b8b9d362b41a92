"""Words of others (ids, reports, paths) in a page: as text, with nothing in them that steers it."""

import html

from cgdmer_jax.errors import visible


def escape(text: str) -> str:
    """The text for HTML and SVG; control characters and changes of direction are spelled out."""
    return html.escape(visible(text))
