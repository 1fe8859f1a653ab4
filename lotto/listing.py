"""What can be composed, read from the configuration folders: every YAML's first line says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lotto.compose import CONF
from lotto.errors import BadRequest
from lotto.fields import near


def groups(config_dir: str | None = None) -> dict[str, dict[str, str]]:
    """Group -> option -> what it is. Options of a user's own folder stand beside lotto's."""
    found: dict[str, dict[str, str]] = {}
    for root in (CONF, *([Path(config_dir)] if config_dir else [])):
        for path in sorted(root.rglob("*.yaml")):
            relative = path.relative_to(root)
            group = relative.parts[0] if relative.parts[0] == "experiment" else relative.parent.as_posix()
            if group == "." or path.name.startswith("_"):
                continue
            option = relative.relative_to(group).with_suffix("").as_posix()
            found.setdefault(group, {})[option] = _first_comment(path)
    return found


def listing(chosen: Sequence[str], config_dir: str | None = None) -> str:
    """The options of the chosen groups, or of all."""
    known = groups(config_dir)
    for name in chosen:
        if name not in known:
            raise BadRequest(f"{name} is no group: choose from {', '.join(known)}{near(name, tuple(known)) or '.'}")
    width = max(len(option) for options in known.values() for option in options)
    lines = []
    for group in chosen or known:
        lines.append(f"{group}=")
        lines.extend(f"  {option:<{width}}  {what}".rstrip() for option, what in known[group].items())
    return "\n".join(lines) + "\n"


def _first_comment(path: Path) -> str:
    for line in path.read_text().splitlines():
        if line.startswith("#") and not line.startswith("# @package"):
            return line.lstrip("# ")
    return ""
