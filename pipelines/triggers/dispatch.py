"""From a message to at most one run for each cause."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from ...components.lib.errors import RetrainerError
from ...components.lib.store import Store
from ..project.config import LoadedConfig
from ..project.formats.names import TRIGGER_KEY
from ..project.sections.data import DataConfig
from ..project.sections.triggers import TriggerConfig
from ..targets.interface import Starter
from ..targets.types import RunRequest, Submission
from .claims.backends import open_claims
from .claims.ledger import Busy, Ledger, Submitted
from .claims.limits import Admission
from .claims.store import Claims
from .coalescing import Coalescer, ready_at
from .key_locks import KeyLocks
from .known_runs import KnownRuns, covers
from .matching import Matcher, find_kind
from .outcomes import combine, failure_outcome, run_outcome, wait_outcome
from .types import Cause, Message, Outcome, Result

_IN_HAND_SECONDS = 2.0
_CLAIMED = "a replica has claimed its run, and has not submitted it yet."
_log = logging.getLogger(__name__)


class Dispatcher:
    """Decides what a message starts, and starts it. All methods may be called from several threads at once.

    Args:
        pipeline: The pipeline's name, which run ids start with.
        triggers: The triggers by name.
        data: The section on data, for storage triggers without a pattern or marker of their own.
        target: Where runs go.
        ledger: Where runs are claimed and counted; None where nothing needs it (see `needs_ledger`).
        clock: Gives the time in seconds since 1970.
        on_submit: Is given each run that is submitted; it must return at once, and raise nothing.

    Raises:
        RetrainerError: If a trigger can't work (a pattern that is not on `gs://`, a marker that names no span), or
            there is no ledger and one is needed.
    """

    def __init__(
        self,
        pipeline: str,
        triggers: Mapping[str, TriggerConfig],
        data: DataConfig,
        target: Starter,
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.time,
        on_submit: Callable[[RunRequest, Submission], None] | None = None,
    ) -> None:
        if ledger is None and needs_ledger(triggers, data, target):
            raise RetrainerError(
                f"runs on {target.name} with these triggers have to be claimed, counted or waited for, and there is no "
                "place for it; set trigger_service.claims."
            )
        self._pipeline, self._target, self._ledger, self._clock = pipeline, target, ledger, clock
        self._on_submit = on_submit
        self._matcher = Matcher(pipeline, triggers, data)
        self._coalescer = Coalescer(ledger.claims, pipeline) if ledger else None
        self._admissions = {
            name: Admission(ledger.claims, pipeline, name, config, clock)
            for name, config in triggers.items()
            if ledger and _is_limited(config)
        }
        self._known = KnownRuns()
        self._key_locks = KeyLocks()

    @property
    def claims(self) -> Claims | None:
        """Where runs are claimed, counted and waited for; None where nothing is."""
        return self._ledger.claims if self._ledger else None

    def handle(self, message: Message) -> Outcome:
        """Start what a message asks for, unless that was started before. Waits for the network.

        Whatever a message holds and a service does, the outcome says it.
        """
        findings = self._matcher.find(message)
        outcomes = [
            self._glance_at(cause, message) or self._start(cause, message)
            for cause in findings.causes
        ]
        return combine(findings, outcomes)

    def glance(self, message: Message) -> Outcome | None:
        """Return the outcome of a message if that needs no network, in well under a millisecond; else None."""
        findings = self._matcher.find(message)
        outcomes = [self._glance_at(cause, message) for cause in findings.causes]
        known = [outcome for outcome in outcomes if outcome]
        return combine(findings, known) if len(known) == len(outcomes) else None

    def _glance_at(self, cause: Cause, message: Message) -> Outcome | None:
        done = self._known.find(cause)
        if done:
            return run_outcome(Result.DUPLICATE, cause, done.submission)
        if not cause.coalesce_seconds:
            return self._wait(cause, cause.ready, message)
        assert self._coalescer, "the constructor asks for a ledger"
        progress = self._coalescer.get_known(cause)
        return self._wait(cause, ready_at(cause, progress), message) if progress else None

    def _wait(self, cause: Cause, ready: datetime, message: Message) -> Outcome | None:
        """Defer a cause until it is ready; None if it is."""
        # A message that is here was published before now, whatever our clock says.
        now = max(self._clock(), message.published.timestamp())
        seconds = ready.timestamp() - now
        if seconds <= 0:
            return None
        or_later = ", or later if more files of its span come" if cause.coalesce_seconds else ""
        return wait_outcome(
            cause, f"its run starts at {ready:%Y-%m-%d %H:%M:%S} UTC{or_later}.", seconds
        )

    def _start(self, cause: Cause, message: Message) -> Outcome:
        # Those that one run may do for are handled one after the other.
        key = cause.key if cause.done_since is None else ""
        with self._key_locks.hold((cause.trigger, key), _IN_HAND_SECONDS) as held:
            if not held:
                return wait_outcome(
                    cause, "its run is being submitted for another message.", _IN_HAND_SECONDS
                )
            try:
                return self._glance_at(cause, message) or self._start_coalesced(cause, message)
            except RetrainerError as error:
                return failure_outcome(cause, error)

    def _start_coalesced(self, cause: Cause, message: Message) -> Outcome:
        """Start the run of a cause, once no replica has received a newer file for `coalesce_seconds`."""
        if not cause.coalesce_seconds:
            return self._start_generation(cause, 0)
        assert self._coalescer, "the constructor asks for a ledger"
        progress = self._coalescer.record(cause)
        wait = self._wait(cause, ready_at(cause, progress), message)
        if wait:
            return wait
        # The newest run that is known may cover the cause; the ones before it were too early for it.
        outcome = self._start_generation(cause, progress.generation - 1)
        known = self._known.get(cause)
        if known and known.generation > progress.generation:
            try:
                self._coalescer.record_run(cause, known.generation)
            except RetrainerError as error:
                # Whoever needs it goes through the runs from the last one that was recorded.
                _log.warning("run '%s' was not recorded: %s", known.run.submission.run_id, error)
        return outcome

    def _start_generation(self, cause: Cause, generation: int) -> Outcome:
        """Start a run that covers a cause: its first one, or the next if those that are there came too early.

        Args:
            cause: The cause.
            generation: Runs up to this one are there, and too early.
        """
        known = self._known.get(cause)
        generation = max(generation, known.generation if known else 0)
        started: list[Submission] = []
        while True:
            generation += 1
            run = self._run(cause, cause.run_id(self._pipeline, generation))
            if isinstance(run, Outcome):
                return run
            if not run.submission.existed:
                # After a lost reply, a target takes an earlier run of another replica for the one that it started. Two
                # in a row are rather a service whose clock is behind, and it would be no use to go on.
                if started:
                    run = _cover(run, cause)
                started.append(run.submission)
            now = datetime.fromtimestamp(self._clock(), UTC)
            self._known.remember(cause, run, generation, now)
            if covers(run, cause):
                result = Result.STARTED if started else Result.DUPLICATE
                return run_outcome(result, cause, run.submission)

    def _run(self, cause: Cause, run_id: str) -> Submitted | Outcome:
        """Find or start one run; an outcome if it has to wait."""
        admission = self._admissions.get(cause.trigger)
        if admission:
            # A run that is there already must neither wait nor count again.
            there = self._find(run_id)
            if there:
                return there
            refusal = admission.admit(run_id)
            if refusal:
                return wait_outcome(cause, refusal.reason, refusal.seconds, run_id)
        request = RunRequest(run_id, cause.parameters, {TRIGGER_KEY: cause.trigger})
        if self._target.names_runs or self._ledger is None:
            submission = self._submit(request)
            return Submitted(submission, submission.created_at)
        return self._claim_and_submit(cause, request, self._ledger)

    def _submit(self, request: RunRequest) -> Submission:
        submission = self._target.submit(request)
        if self._on_submit and not submission.existed:
            self._on_submit(request, submission)
        return submission

    def _find(self, run_id: str) -> Submitted | None:
        if self._ledger and not self._target.names_runs:
            return self._ledger.find(run_id)
        found = self._target.find(run_id)
        return Submitted(replace(found, existed=True), found.created_at) if found else None

    def _claim_and_submit(
        self, cause: Cause, request: RunRequest, ledger: Ledger
    ) -> Submitted | Outcome:
        claim = ledger.claim(request.run_id)
        if isinstance(claim, Submitted):
            return claim
        if isinstance(claim, Busy):
            return wait_outcome(cause, _CLAIMED, claim.seconds)
        found = None if claim.first else self._target.find(request.run_id)
        if found:
            run = Submitted(replace(found, existed=True), found.created_at)
        elif not ledger.holds(claim):
            return wait_outcome(cause, _CLAIMED, _IN_HAND_SECONDS)
        else:
            submission = self._submit(request)
            run = Submitted(submission, submission.created_at)
            if not submission.existed:
                # Nobody else can have started it.
                run = _cover(run, cause)
        try:
            ledger.confirm(claim, run)
        except RetrainerError as error:
            # The run is there. Who takes the claim over will find it.
            _log.warning(
                "run '%s' was submitted, and not recorded as such: %s", claim.run_id, error
            )
        return run


def needs_ledger(triggers: Mapping[str, TriggerConfig], data: DataConfig, target: Starter) -> bool:
    """Return whether runs have to be claimed (by the target), counted or waited for (by a trigger)."""
    return not target.names_runs or any(
        _is_limited(config) or find_kind(config.kind).coalesce_seconds(config, data)
        for config in triggers.values()
    )


def make_dispatcher(
    loaded: LoadedConfig,
    target: Starter,
    clock: Callable[[], float] = time.time,
    on_submit: Callable[[RunRequest, Submission], None] | None = None,
) -> Dispatcher:
    """Make the dispatcher of a retrain.yaml.

    Args:
        loaded: The configuration.
        target: Where runs go.
        clock: Gives the time in seconds since 1970.
        on_submit: Is given each run that is submitted, see `Dispatcher`.

    Raises:
        RetrainerError: If there are no triggers, one can't work, or the place of claims can't be written or lets
            anybody write twice.
    """
    config = loaded.config
    triggers = config.all_triggers
    if not triggers:
        raise RetrainerError(
            f"'{loaded.path}' has no triggers, so that no message would start anything; add some under 'triggers', or "
            "the section 'retraining' for incidents of monitoring."
        )
    ledger = None
    if needs_ledger(triggers, config.data, target):
        claims = config.trigger_service.claims or Store(config.store).claims_uri
        if "://" not in claims:
            claims = os.path.join(os.path.dirname(os.path.abspath(loaded.path)), claims)
        ledger = Ledger(open_claims(claims))
    return Dispatcher(config.name, triggers, config.data, target, ledger, clock, on_submit)


def _is_limited(config: TriggerConfig) -> bool:
    return bool(config.cool_down_seconds or config.daily_limit)


def _cover(run: Submitted, cause: Cause) -> Submitted:
    """Return a run that was started for a cause as one that covers it, whatever the service's clock says."""
    return Submitted(run.submission, max(run.covers, cause.since or run.covers))
