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


def render(template: str, **values: Any) -> str:
    """Fills a template; every text is escaped, except for markup that this package made itself.

    Args:
        template: its name in `templates/`.
        values: what it shows.
    """
    environment = Environment(
        loader=PackageLoader("ecg_lightning.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(template).render(
        version=__version__, series=SERIES, colours=style_sheet(), **values
    )
    return "\n".join(line.strip() for line in text.splitlines() if line.strip()) + "\n"
