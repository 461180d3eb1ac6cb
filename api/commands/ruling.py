"""The rules: which are in force, how they differ, and how they change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.shared import Acting, Data, Json, acting, opened, out, say, show_json
from governance.rejudging import Standing
from policies.errors import Malformed, NotFound, Sentence
from policies.revisions import Difference, differences
from policies.roles import Action, Role, absent, require
from policies.rulebook import BUILT_IN

ruling = typer.Typer(help="The rulebook in force, its history, and changes to it.", no_args_is_help=True)

Revision = Annotated[str, typer.Argument(metavar="REVISION", help="Id of a proposed rulebook.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in words others can follow.")]


@ruling.command("show")
def show(data: Data = None, as_json: Json = False) -> None:
    """Print the rulebook in force.

    Example: mingjing rulebook show
    """
    with opened(data) as service:
        book = service.rulebook
    if as_json:
        show_json({"version": book.version, "digest": book.digest, "toml": book.source.decode()})
        return
    out.print(f"# {say(book.title)} {book.version}, digest {book.digest}", markup=False)
    out.print(book.source.decode(), markup=False)


@ruling.command("history")
def history(data: Data = None, as_json: Json = False) -> None:
    """List every rulebook that was in force, and those that wait for the committee.

    Example: mingjing rulebook history
    """
    with opened(data) as service:
        found = [*service.rulebooks.proposals(), *service.rulebooks.history()]
    if as_json:
        show_json({"rulebooks": [revision.as_json() for revision in found]})
        return
    for revision in found:
        when = revision.decided_at or revision.proposed_at
        out.print(
            f"{revision.id}  {revision.state.value:<9} {when:%Y-%m-%d %H:%M}  {revision.digest[:12]}  "
            f"{revision.book.version}  proposed by {revision.proposed_by}, decided by {revision.decided_by or '–'}",
            markup=False,
        )


@ruling.command("diff")
def diff(
    older: Annotated[str, typer.Argument(metavar="FROM", help="Digest, or its beginning.")],
    newer: Annotated[str, typer.Argument(metavar="TO", help="Digest, or its beginning.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what differs between two rulebooks, and what became stricter or laxer.

    Example: mingjing rulebook diff 8f1c02 77ab10
    """
    with opened(data) as service:
        known = {r.digest: r.book for r in (*service.rulebooks.proposals(), *service.rulebooks.history())}
    pair = []
    for asked in (older, newer):
        fitting = [book for digest, book in known.items() if digest.startswith(asked)]
        if len(fitting) != 1:
            raise absent("rulebook", asked)
        pair.append(fitting[0])
    _show_differences(differences(pair[0], pair[1]), as_json)


@ruling.command("propose")
def propose(
    file: Annotated[Path | None, typer.Argument(help="The rulebook, a TOML file.")] = None,
    built_in: Annotated[bool, typer.Option("--built-in", help="Propose the one this program came with.")] = False,
    reason: Reason = "",
    data: Data = None,
    as_user: Acting = None,
    as_json: Json = False,
) -> None:
    """Put a rulebook before the committee, with its differences and the permits it would touch.

    Example: mingjing rulebook propose rules.toml --reason "the incident of May asks for a stricter limit"
    """
    toml = _text_of(BUILT_IN if built_in else file)
    with opened(data) as service:
        made = service.rule_changes.propose(toml, by=acting(service, as_user, Role.DSO), reason=reason)
        found, touched = service.rule_changes.differences(made), service.rule_changes.touched_by(made.book)
    if as_json:
        show_json({**made.as_json(), "differences": [d.as_json() for d in found], "touched": _json_of(touched)})
        return
    out.print(f"proposed as {made.id}; a committee member adopts it", markup=False)
    _show_differences(found, as_json=False)
    _show_touched(touched)


@ruling.command("adopt")
def adopt(
    revision: Revision, reason: Reason = "", data: Data = None, as_user: Acting = None, as_json: Json = False
) -> None:
    """Put a proposed rulebook into force. Permits that no longer hold under it are suspended at once.

    Example: mingjing rulebook adopt 0192… --reason "discussed in the meeting of 3 June"
    """
    with opened(data) as service:
        done = service.rule_changes.adopt(revision, by=acting(service, as_user, Role.COMMITTEE), reason=reason)
    if as_json:
        show_json(done.as_json())
        return
    out.print(f"rulebook {done.revision.book.version} ({done.revision.digest[:12]}) is in force", markup=False)
    _show_touched(done.touched)


@ruling.command("decline")
def decline(
    revision: Revision, reason: Reason = "", data: Data = None, as_user: Acting = None, as_json: Json = False
) -> None:
    """Decline a proposed rulebook; the officer who proposed it may take it back.

    Example: mingjing rulebook decline 0192… --reason "the new limit has no source"
    """
    with opened(data) as service:
        done = service.rule_changes.decline(revision, by=acting(service, as_user, Role.COMMITTEE), reason=reason)
    if as_json:
        show_json(done.as_json())
        return
    out.print(f"rulebook {revision} is declined", markup=False)


@ruling.command("examine-again")
def examine_again(data: Data = None, as_user: Acting = None, as_json: Json = False) -> None:
    """List the permits whose submission was examined under other rules than those in force.

    Example: mingjing rulebook examine-again
    """
    with opened(data) as service:
        person = acting(service, as_user, Role.DSO)
        require(person, Action.READ_SUBMISSIONS)
        found = tuple(s for s in service.rule_changes.to_examine_again() if person.sees(s.site or None, s.model))
    if as_json:
        show_json({"permits": _json_of(found)})
        return
    _show_touched(found)


def _text_of(file: Path | None) -> bytes:
    if file is None:
        raise Malformed(
            Sentence(
                en="name the rulebook: mingjing rulebook propose FILE, or --built-in",
                zh="请指定规则文件：mingjing rulebook propose 文件，或使用 --built-in",
            )
        )
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(Sentence(en=f"there is no file {file}", zh=f"没有文件 {file}")) from error


def _show_differences(found: tuple[Difference, ...], as_json: bool) -> None:
    if as_json:
        show_json({"differences": [difference.as_json() for difference in found]})
        return
    for difference in found:
        out.print(f"  {say(difference.says())}", markup=False)


def _show_touched(touched: tuple[Standing, ...]) -> None:
    for standing in touched:
        mark = "holds, examine again" if standing.holds else "no longer holds"
        out.print(f"{standing.model}:{standing.version}  {standing.tier}  {mark}", markup=False)
        for sentence in (*(failing.says for failing in standing.fails), *standing.open):
            out.print(f"    {say(sentence)}", markup=False)


def _json_of(touched: tuple[Standing, ...]) -> list[dict[str, object]]:
    return [standing.as_json() for standing in touched]
