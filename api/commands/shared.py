"""What every command shares: options, the opened service, who acts, and how results are printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.settings import Settings, read_settings
from api.tokens import NotSignedIn
from policies.errors import Malformed, Sentence
from policies.roles import Person, Role

if TYPE_CHECKING:
    from api.wiring import Service

Data = Annotated[Path | None, typer.Option("--data", help="Data folder (MINGJING_DATA; default ./mingjing-data).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Acting = Annotated[
    str | None,
    typer.Option("--as", help="Account that acts. Without it, MINGJING_TOKEN's holder, else the local operator."),
]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def settings_for(data: Path | None) -> Settings:
    """Return the settings with the data folder of this call. Raises Malformed."""
    return read_settings(data)


@contextmanager
def opened(data: Path | None) -> Iterator[Service]:
    """Open the service for one command and close it after."""
    from api.wiring import open_service

    service = open_service(settings_for(data), door="cli")
    try:
        yield service
    finally:
        service.close()


def acting(service: Service, name: str | None, role: Role) -> Person:
    """Return who acts: the named account, the token's holder, or the local operator in the role asked for.

    Whoever can write the data folder could change it anyway, so the local operator needs no password; the
    log still names him apart from every account.
    """
    if name is not None:
        return service.people.person(name)
    if service.settings.token is not None:
        return service.people.by_token(service.settings.token)
    return Person(name=f"local-{role.value}", role=role)


def proven(service: Service, name: str | None) -> Person:
    """Return who acts, once that is proven: the named account by its password, or the token's holder.

    For acts that take two people: the local operator could name both, so a name alone is not enough here.

    Raises
    ------
    NotSignedIn
    """
    if name is not None:
        session = service.people.sign_in(name, _password_of(name))
        person = service.people.by_token(session)
        service.people.sign_out(session)
        return person
    if service.settings.token is None:
        raise NotSignedIn(
            Sentence(
                en="this takes two people, each as himself: name an account with --as and give its password, or set "
                "MINGJING_TOKEN",
                zh="此操作须由两人分别以本人身份进行：请用 --as 指定账号并输入口令，或设置 MINGJING_TOKEN",
            )
        )
    return service.people.by_token(service.settings.token)


def _password_of(name: str) -> str:
    """Ask for a password on a terminal; elsewhere it is the next line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"Password of {name}", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\n")


def moment(text: str | None) -> datetime | None:
    """Read a day or an RFC 3339 time; without a zone it is UTC. Raises Malformed."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed(
            Sentence(
                en=f"'{text}' is not a day or moment; write YYYY-MM-DD or an RFC 3339 time",
                zh=f"“{text}”不是日期或时间，请写作 YYYY-MM-DD 或 RFC 3339 格式",
            )
        ) from error


def end_of_day(text: str) -> datetime:
    """Return the moment as written, or the end of the day where only a day is: what is given covers its last day."""
    found = moment(text)
    assert found is not None, "there is a text"
    if len(text.strip()) > len("2026-01-01"):
        return found
    return found.replace(hour=23, minute=59, second=59, microsecond=999_999)


def say(sentence: Sentence) -> str:
    """Return a sentence in the language of the command line."""
    try:
        language = read_settings().language
    except Malformed:
        language = "en"
    return sentence.in_language(language)


def show_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n")


def show_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name in pairs)
    for name, value in pairs.items():
        out.print(f"  {name:<{width}}  {value}", markup=False)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[str, float], None]]:
    """Show a bar for long work on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _what, _share: None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
        console=err,
    ) as bar:
        task = bar.add_task(title, total=1.0, what="")
        yield lambda what, share: bar.update(task, completed=share, what=what)
