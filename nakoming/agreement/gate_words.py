"""The words of gates: what is asked, what may be answered, how it stands and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What is asked."""

    APPROVAL = "approval"
    DELIVERY = "delivery"
    OBJECTION_WINDOW = "objection_window"
    CHOICE = "choice"
    DISCHARGE = "discharge"


class Verb(StrEnum):
    """What may be answered."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    REFUSE = "refuse"
    DELIVER = "deliver"
    OBJECT = "object"
    CHOOSE = "choose"
    DISCHARGE = "discharge"
    WITHHOLD = "withhold"


class State(StrEnum):
    """How a gate stands. `held` is shut for want of proof that the notice arrived: nobody consented."""

    OPEN = "open"
    FULFILLED = "fulfilled"
    DEFEATED = "defeated"
    EXPIRED = "expired"
    SILENT_CONSENT = "silent_consent"
    HELD = "held"


class Reason(StrEnum):
    """Why a gate stands so."""

    WAITING = "waiting"
    ENOUGH_ANSWERS = "enough_answers"
    VETO = "veto"
    TOO_FEW_LEFT = "too_few_left"
    OPTIONS_DIFFER = "options_differ"
    OBJECTION = "objection"
    OBJECTION_WITHOUT_REASON = "objection_without_reason"
    SILENCE_AFTER_NOTICE = "silence_after_notice"
    NOTICE_NOT_PROVEN = "notice_not_proven"
    DEADLINE_PASSED = "deadline_passed"


class Obstacle(StrEnum):
    """Why an answer is not admitted."""

    NOT_SEATED = "not_seated"
    OWN_REQUEST = "own_request"
    VERB_NOT_OFFERED = "verb_not_offered"
    OPTION_NOT_OFFERED = "option_not_offered"
    ALREADY_ANSWERED = "already_answered"


FULFILS: Final = frozenset({Verb.APPROVE, Verb.DELIVER, Verb.CHOOSE, Verb.DISCHARGE})
VERBS: Final[dict[Kind, tuple[Verb, ...]]] = {
    Kind.APPROVAL: (Verb.APPROVE, Verb.REQUEST_CHANGES, Verb.REFUSE),
    Kind.DELIVERY: (Verb.DELIVER, Verb.REFUSE),
    Kind.OBJECTION_WINDOW: (Verb.OBJECT, Verb.APPROVE),
    Kind.CHOICE: (Verb.CHOOSE, Verb.REFUSE),
    Kind.DISCHARGE: (Verb.DISCHARGE, Verb.WITHHOLD),
}
