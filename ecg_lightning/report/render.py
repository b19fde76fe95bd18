"""From data to the text of a page: the templates, with the colours, the style and the script inside."""

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ecg_lightning import __version__
from ecg_lightning.report.palette import SERIES, style_sheet


@dataclass(frozen=True)
class Section:
    """A part of a page, to which its navigation leads."""

    anchor: str
    title: str


def templates(package: str) -> Environment:
    """Returns the templates of a package, in which every text is escaped and no value may be missing."""
    return Environment(
        loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def render(template: str, **values: Any) -> str:
    """Fills a template; every text is escaped, except for markup that this package made itself.

    Args:
        template: its name in `templates/`.
        values: what it shows.
    """
    text = (
        templates("ecg_lightning.report")
        .get_template(template)
        .render(version=__version__, series=SERIES, colours=style_sheet(), **values)
    )
    return "\n".join(line.strip() for line in text.splitlines() if line.strip()) + "\n"
