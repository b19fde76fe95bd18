"""The colours of the page, light and dark. `tests/report/test_palette.py` computes the contrast of each pair."""

LIGHT = {
    "ground": "#ffffff",
    "panel": "#f5f7fa",
    "ink": "#17202a",
    "faint": "#55606e",
    "line": "#cfd6de",
    "edge": "#7b8794",
    "link": "#0b5cad",
    "series1": "#0b5cad",
    "series2": "#b04a00",
    "series3": "#1b7a3d",
    "series4": "#7b3fb5",
    "series5": "#b0243b",
    "series6": "#4d5661",
    "warning": "#8a4b00",
    "warning-ground": "#fff4e0",
}
DARK = {
    "ground": "#10151b",
    "panel": "#1a212a",
    "ink": "#e7ecf2",
    "faint": "#a9b4c0",
    "line": "#37424e",
    "edge": "#7d8a98",
    "link": "#79bcff",
    "series1": "#79bcff",
    "series2": "#f2a65a",
    "series3": "#64cc88",
    "series4": "#c6a3f5",
    "series5": "#ff93a1",
    "series6": "#b5bfca",
    "warning": "#f7c679",
    "warning-ground": "#33270f",
}
SERIES = 6
"""Colours of lines; a further line begins again with the first one, and is told from it by its dashes."""
TEXTS = {
    "ground": ("ink", "faint", "link", "warning"),
    "panel": ("ink", "faint", "link"),
    "warning-ground": ("ink", "warning"),
}
"""Colours of text on each ground: their contrast is at least 4.5 to 1 (WCAG 2.2, AA)."""
DRAWINGS = {
    "ground": ("edge", *(f"series{number}" for number in range(1, SERIES + 1))),
    "panel": ("edge", *(f"series{number}" for number in range(1, SERIES + 1))),
}
"""Colours of lines and edges on each ground: their contrast is at least 3 to 1."""


def style_sheet() -> str:
    """Returns the colours as CSS variables: light, and dark where the reader's system asks for it; printed pages are light."""

    def variables(colours: dict[str, str]) -> str:
        return "".join(f"--{name}: {colour};" for name, colour in colours.items())

    return (
        f":root {{ color-scheme: light dark; {variables(LIGHT)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}"
    )
