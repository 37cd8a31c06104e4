"""What the records refuse, each with its code."""

from __future__ import annotations

from nakoming.errors import NakomingError


class RecordsError(NakomingError):
    """Something in the records database."""

    code = "NK2000"


class UnknownCase(RecordsError):
    """No such case."""

    template = "There is no case {key}; `nakoming case list` shows those there are."
    code = "NK2001"
    exit_status = 4


class CaseHeld(RecordsError):
    """Another worker holds the case."""

    template = "Case {key} is being worked on by {owner} (lease until {until:%H:%M:%S} UTC)."
    code = "NK2002"


class LeaseLost(RecordsError):
    """The lease went to somebody else: whatever this holder still wants to write is refused."""

    template = "The lease on {what} (epoch {epoch}) is lost; another holder goes on."
    code = "NK2003"


class InputChanged(RecordsError):
    """A finished step was asked for again with other input."""

    template = (
        "Step {step} of case {key} was done with other input (digest {stored:.12}) than it is now asked for "
        "(digest {given:.12}); a changed flow needs a new revision or another step name."
    )
    code = "NK2004"


class ResourceBusy(RecordsError):
    """A shared thing is leased by somebody else."""

    template = "{resource} is in use by {owner} until {until:%Y-%m-%d %H:%M:%S} UTC."
    code = "NK2005"


class GateReopened(RecordsError):
    """The gate that a step stands on is no longer fulfilled."""

    template = "Gate {gate} of case {key} is {state}, not fulfilled; the step that needs it does not start."
    code = "NK2006"


class GateClosed(RecordsError):
    """An answer came after the gate closed."""

    template = "This question was closed at {closed_at:%Y-%m-%d %H:%M} UTC; an answer is no longer possible."
    code = "NK2007"


class AlreadyAnswered(RecordsError):
    """The person answered otherwise before."""

    template = "You answered '{verb}' before; take that answer back first if you want to change it."
    code = "NK2008"


class ShownChanged(RecordsError):
    """What the person saw is not what is asked now."""

    template = "The documents of this question changed after this page was made; a new link has been sent."
    code = "NK2009"


class NotAsked(RecordsError):
    """The person, verb or option does not belong to this question."""

    template = "{what} is not possible here; allowed: {allowed}."
    code = "NK2010"


class DocumentRefused(RecordsError):
    """A document cannot be taken."""

    template = "Document '{name}' is refused: {reason}; allowed: {allowed}."
    code = "NK2011"


class DocumentMissing(RecordsError):
    """A document that is named does not exist, or is not this customer's."""

    template = "There is no document {document} of customer {customer}."
    code = "NK2012"
    exit_status = 4


class DocumentDamaged(RecordsError):
    """A stored document is not what its digest says."""

    template = "Document {document} does not match its SHA-256 {sha256:.12}…; restore it from a backup."
    code = "NK2013"


class StorageFull(RecordsError):
    """The disk is full; nothing was half stored."""

    template = (
        "'{name}' cannot be stored in {folder}: {reason}. Free space there and try again; nothing was lost."
    )
    code = "NK2014"


class KeyMissing(RecordsError):
    """A key is not in the key folder."""

    template = "The key {key_id} is not in {folder}: what it sealed cannot be read."
    code = "NK2015"


class KeyDestroyed(KeyMissing):
    """A key was destroyed on purpose (S-4.2.19): it never comes back."""

    template = "The key {key_id} was destroyed: what it sealed can never be read again."
    code = "NK2033"


class SealBroken(RecordsError):
    """Encrypted bytes were changed or belong elsewhere."""

    template = "What is stored as {what} was changed or does not belong there."
    code = "NK2016"


class RecordsTooNew(RecordsError):
    """The database was made by another version."""

    template = "The records are at schema {found}, this program knows {known}; {advice}."
    code = "NK2017"


class UnknownAgreement(RecordsError):
    """No agreement is loaded for the customer."""

    template = "There is no agreement of customer '{customer}'; known customers: {known}."
    code = "NK2018"
    exit_status = 4


class CaseClosed(RecordsError):
    """The case has ended."""

    template = "Case {key} ended ({outcome}) and takes no further work."
    code = "NK2019"


class DatabaseLocked(RecordsError):
    """Another process holds the records database."""

    template = (
        "The records database stayed locked ({reason}): another process holds it; nothing was recorded. "
        "End that process or wait for it, then try again."
    )
    code = "NK2020"
