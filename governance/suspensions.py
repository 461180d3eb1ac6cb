"""A live permit is suspended by an officer or by a rule, and only an officer lets it live again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from governance.approvals import OwnSubmission, Raced, StandsInTheWay, set_stage
from governance.permit_acts import Ground, PermitActs
from governance.permits import Permit, PermitState, bump_epoch
from governance.publishing import tell_registry
from governance.reasons import require_reason
from governance.rejudging import FeaturesOf, outdated
from governance.stages import Stage
from governance.statements import statement
from governance.submissions import SubmissionRecord
from governance.tables import permits, submissions
from policies.errors import Conflict, Sentence
from policies.roles import Action, Person, absent, require


class WaitsForVerdict(Conflict):
    """A permit that stopped because its use changed comes back by a new verdict only."""

    def __init__(self, model: str, record: SubmissionRecord) -> None:
        super().__init__(
            Sentence(
                en=f"version {record.version} of '{model}' lies before its deciders again (submission {record.id}); "
                "it runs again with their verdict and not before",
                zh=f"“{model}”第 {record.version} 版已重新提交裁定（提交 {record.id}），须经裁定后方可运行",
            )
        )


class Suspensions(PermitActs):
    """Suspends and resumes. A suspension binds first and is then recorded; a resumption is recorded before it binds."""

    def __init__(self, ground: Ground, features_of: FeaturesOf) -> None:
        super().__init__(ground)
        self._features_of = features_of

    def suspend(self, model: str, *, by: Person, reason: str) -> Permit:
        """Suspend the live permit of a model: the next call is refused."""
        return self._toggle(model, by, reason, PermitState.LIVE, PermitState.SUSPENDED, Stage.SUSPENDED)

    def resume(self, model: str, *, by: Person, reason: str) -> Permit:
        """Let a suspended permit live again."""
        return self._toggle(model, by, reason, PermitState.SUSPENDED, PermitState.LIVE, Stage.APPROVED)

    def suspend_by_rule(self, model: str, *, rule: str, reason: Sentence) -> Permit | None:
        """Suspend the live permit of a model because a rule of the rulebook says so; None when none is live.

        The rule is the actor in the log. Only an officer lets the model run again.
        """
        held = [p for p in self._permits.permits() if p.model == model and p.state is PermitState.LIVE]
        if not held:
            return None
        permit, record = held[0], self._book.get(held[0].submission)
        with self._database.writing() as connection:
            moved = connection.execute(
                update(permits)
                .where(permits.c.id == permit.id, permits.c.state == PermitState.LIVE.value)
                .values(state=PermitState.SUSPENDED.value)
            )
            if moved.rowcount != 1:
                return None
            set_stage(connection, [record.id], Stage.SUSPENDED)
            bump_epoch(connection)
        self._permits.forget()
        body = {"reason": reason.en, "says": reason.as_json(), "rule": rule, "permit": permit.id}
        self._log.append([statement("suspend", by=f"rule:{rule}", body=body, **self._columns(record))])
        tell_registry(self._publish, [(record, Stage.SUSPENDED)])
        return permit

    def _toggle(
        self, model: str, by: Person, reason: str, now_in: PermitState, to: PermitState, stage: Stage
    ) -> Permit:
        require(by, Action.SUSPEND)
        known, _ = self._book.search(model=model, limit=1)
        if not known or not by.sees(known[0].site or None, model):
            raise absent("model", model)
        reason = require_reason(reason)
        held = [p for p in self._permits.permits() if p.model == model and p.state is not PermitState.ENDED]
        if not held or held[0].state is not now_in:
            state = held[0].state.value if held else "without a permit"
            raise Conflict(
                Sentence(
                    en=f"'{model}' is {state}; only a {now_in.value} permit can become {to.value}",
                    zh=f"“{model}”当前状态为 {state}，只有 {now_in.value} 状态的许可可以变为 {to.value}",
                )
            )
        permit = held[0]
        record = self._book.get(permit.submission)
        if record.stage is not (Stage.SUSPENDED if to is PermitState.LIVE else Stage.APPROVED):
            raise WaitsForVerdict(model, record)
        if to is PermitState.LIVE:
            if record.is_by(by.name):
                raise OwnSubmission(by.name, record.id)
            self._permits.require_unvetoed(model, permit.artifact_digest)
            if obstacles := outdated(self._rulebooks, record, permit, self._features_of, self._clock()):
                raise StandsInTheWay(*obstacles)
        draft = statement(
            "suspend" if to is PermitState.SUSPENDED else "resume",
            by=by.name,
            body={"reason": reason, "permit": permit.id},
            **self._columns(record),
        )
        if to is PermitState.LIVE:
            self._log.append([draft])
        with self._database.writing() as connection:
            moved = connection.execute(
                update(permits).where(permits.c.id == permit.id, permits.c.state == now_in.value).values(state=to.value)
            )
            led = connection.execute(
                update(submissions)
                .where(submissions.c.id == record.id, submissions.c.stage == record.stage.value)
                .values(stage=stage.value, claimed=None)
            )
            if moved.rowcount != 1 or led.rowcount != 1:
                raise Raced(model)
            bump_epoch(connection)
        self._permits.forget()
        if to is PermitState.SUSPENDED:
            self._log.append([draft])
        tell_registry(self._publish, [(record, stage)])
        return permit

    def _columns(self, record: SubmissionRecord) -> dict[str, Any]:
        """Return the columns of every act about one version: which it is, and the rules in force."""
        return {
            "model": record.model,
            "version": record.version,
            "artifact_digest": record.artifact_digest,
            "rulebook_digest": self._rulebooks.in_force().digest,
            "site": record.site or None,
        }
