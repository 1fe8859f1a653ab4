"""A page put together: sections in their order, an index of them, the data that its script draws."""

from __future__ import annotations

from html import escape
from string import Template
from typing import Any

from lotto.report.page import assets
from lotto.report.page.embed import embedded
from lotto.report.page.markup import section


class Page:
    """Grows section by section.

    Args:
        title: what it is about; any text.
        kind: what that is, in a word.
        note: name of the ``<meta>`` that says what it was written from, which is ``digest``.

    Attributes:
        data: what the script reads, as JSON values.
    """

    def __init__(self, title: str, kind: str, note: str, digest: str) -> None:
        self._title, self._kind, self._note, self._digest = title, kind, note, digest
        self._opening = ""
        self._sections: dict[str, tuple[str, str, str]] = {}
        self.data: dict[str, Any] = {}

    def open(self, content: str) -> None:
        """What stands before all sections."""
        self._opening = content

    def add(self, name: str, short: str, title: str, content: str) -> None:
        """A section; ``name`` is its address within the page, ``short`` its title in the index."""
        self._sections[name] = (short, title, content)

    def text(self) -> str:
        """The page."""
        index = "".join(
            f'<li><a href="#{name}">{escape(short)}</a></li>' for name, (short, _, _) in self._sections.items()
        )
        sections = (section(name, title, content) for name, (_, title, content) in self._sections.items())
        return Template(assets.frame()).substitute(
            policy=assets.policy(),
            note=self._note,
            digest=self._digest,
            title=escape(self._title),
            # A long name breaks behind its slashes.
            heading=escape(self._title).replace("/", "/<wbr>"),
            kind=escape(self._kind),
            style=assets.style(),
            index=f"<ul>{index}</ul>",
            content="\n".join((self._opening, *sections)),
            data=embedded(self.data),
            script=assets.script(),
        )
