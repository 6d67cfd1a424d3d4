"""Small pieces of HTML; whatever a study says is escaped in them."""

from __future__ import annotations

from collections.abc import Sequence

from bitlif.model.text import html_text


def section(name: str, title: str, *parts: str) -> str:
    """Return a section of the page with a heading; `parts` are HTML."""
    return f'<section id="{name}"><h2>{title}</h2>\n' + "\n".join(parts) + "\n</section>"


def paragraph(content: str, *, quiet: bool = False) -> str:
    """Return a paragraph of text."""
    return f'<p class="quiet">{html_text(content)}</p>' if quiet else f"<p>{html_text(content)}</p>"


def listed(rows: Sequence[tuple[str, str]]) -> str:
    """Return a list of names and what is said of them."""
    return (
        "<dl>"
        + "".join(f"<dt>{html_text(a)}</dt><dd>{html_text(b)}</dd>" for a, b in rows)
        + "</dl>"
    )


def table(heads: str, rows: str, *, tall: bool = False, name: str = "") -> str:
    """Return a table of HTML `heads` and `rows` that scrolls where the page is narrower."""
    kind = "wide tall" if tall else "wide"
    named = f' id="{name}"' if name else ""
    head = f"<thead><tr>{heads}</tr></thead>"
    return f'<div class="{kind}"><table{named}>{head}<tbody>{rows}</tbody></table></div>'
