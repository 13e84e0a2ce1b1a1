"""Pages as a browser reads them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = {"link", "meta", "br", "img", "input"}


@dataclass
class Tag:
    """An element: its name, its attributes and the text inside, that of its children included."""

    name: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Document(HTMLParser):
    """A parsed page."""

    source: str
    tags: list[Tag] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Tag] = []
        self.feed(self.source)
        self.close()
        assert self._open == [], "everything that is opened is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Tag(tag, {name: value or "" for name, value in attrs})
        self.tags.append(found)
        if tag not in _VOID:
            self._open.append(found)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        for each in self._open:
            each.text += data

    def all(self, tag: str, /, **attributes: str) -> list[Tag]:
        """The elements of this name that have these attributes."""
        return [each for each in self.tags if each.name == tag and attributes.items() <= each.attributes.items()]

    def one(self, tag: str, /, **attributes: Any) -> Tag:
        """The only such element."""
        (found,) = self.all(tag, **attributes)
        return found
