"""The generated pages of the documentation: `python -m tests.reference.pages docs` writes them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic_core import PydanticUndefined

from pokewatch.cli.main import main as command
from pokewatch.settings import sections
from tests.reference.data_contract import data_contract
from tests.reference.metrics import metrics_page


def settings_page() -> str:
    """Return the page of the settings."""
    lines = [
        "# Settings",
        "",
        "A value is read from the environment, else from `settings.env` in `POKEWATCH_HOME` (lines",
        "`NAME=value`), else the default applies. An invalid value is an error that names the",
        "setting and the value. `pokewatch doctor`, the servers and the flows warn about names",
        "that look like settings and are none.",
    ]
    for section in sections():
        title = (section.__doc__ or "").splitlines()[0].rstrip(".")
        lines += [
            "",
            f"## {title}",
            "",
            "| setting | default | description |",
            "| --- | --- | --- |",
        ]
        for name, field in section.model_fields.items():
            lines.append(
                f"| `{section.variable(name)}` | {_default(field)} | {field.description} |"
            )
    return "\n".join(lines) + "\n"


def _default(field: Any) -> str:
    if field.default_factory is not None:
        return "`~/.pokewatch`"
    if field.default is PydanticUndefined or field.default in ("", None):
        return ""
    default = field.default
    return f"`{','.join(map(str, default)) if isinstance(default, (tuple, list)) else default}`"


_EXIT_CODES = """\
The help texts of `pokewatch COMMAND --help`. Commands exit with one of these codes; of `pipeline`,
`monitor` and `backfill`, a run that fails exits with 1:

| code | meaning |
| --- | --- |
| 0 | success |
| 1 | an unexpected failure; a check of `doctor` failed, or `tidy` could not remove something |
| 2 | an invalid setting or option |
| 3 | an unknown card, date, key or watch |
| 4 | a source, lake, version, book, key file or database of watches that cannot be used |
| 5 | prices or a model failed their checks |
| 6 | no model, or no registry |
| 7 | a deploy or rollback failed, and was undone or not begun |"""


def commands_page() -> str:
    """Return the page of the commands."""
    lines = ["# Commands", "", _EXIT_CODES]
    for path, found in _commands(command, "pokewatch"):
        context = click.Context(
            found,
            info_name=path,
            terminal_width=100,
            help_option_names=command.context_settings["help_option_names"],
        )
        lines += ["", f"## {path}", "", "```text", found.get_help(context), "```"]
    return "\n".join(lines) + "\n"


def _commands(group: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in sorted(group.list_commands(context)):
            found = group.get_command(context, name)
            if found is not None:
                yield from _commands(found, f"{path} {name}")


PAGES = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "metrics.md": metrics_page,
    "data-contract.odcs.yaml": data_contract,
}


def write(folder: Path) -> None:
    """Write every reference page into `folder`."""
    for name, page in PAGES.items():
        (folder / name).write_text(page())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
