"""Reads a page as a browser does: its elements, with their texts and attributes."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "input", "link", "hr"}


@dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def all(self, tag: str) -> list["Element"]:
        """The elements of that name below this one, in the order of the page."""
        below = [item for child in self.children for item in ([child] if child.tag == tag else []) + child.all(tag)]
        return below

    @property
    def text(self) -> str:
        """The texts of this element and of those below it."""
        return " ".join([*self.texts, *(child.text for child in self.children)]).strip()


class Reader(HTMLParser):
    """Builds the tree of a page; every element that is opened must be closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(page)
        self.close()
        assert self.open == [self.root], f"<{self.open[-1].tag}> is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.open[-1].texts.append(data.strip())


def read(page: str) -> Element:
    """Returns the root of a page."""
    return Reader(page).root
