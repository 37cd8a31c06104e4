"""The tables. Columns whose name ends in `_sealed` hold bytes encrypted with the customer's key."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from nakoming.records.schema_agreements import agreement_contracts, agreements
from nakoming.records.schema_backups import backup_proofs, backup_sets
from nakoming.records.schema_base import ID as _ID
from nakoming.records.schema_base import NAME as _NAME
from nakoming.records.schema_base import case_id as _case_id
from nakoming.records.schema_base import metadata
from nakoming.records.types import Instant, Json

__all__ = ["agreement_contracts", "agreements", "backup_proofs", "backup_sets", "metadata"]

cases = Table(
    "cases",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("customer", String(_NAME), nullable=False),
    Column("subject", String(_NAME), nullable=False),
    Column("agreement_version", Integer, nullable=False),
    Column("flow_revision", Integer, nullable=False),
    Column("parameters_sealed", LargeBinary, nullable=False),
    Column("state", String(20), nullable=False),
    Column("outcome", String(40)),
    Column("stage", String(_NAME)),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("last_error", Text),
    Column("waits_for", Json),
    Column("ask_everything", Boolean, nullable=False, server_default=false()),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("parent_id", String(_ID), ForeignKey("cases.id")),
    # The lease: one worker at a time holds a case; the epoch fences the ones before.
    Column("lease_owner", String(_NAME)),
    Column("lease_epoch", Integer, nullable=False, server_default=text("0")),
    Column("lease_until", Instant),
    # When the case wants to run again (the earliest pending wake-up), and when Prefect was last told.
    Column("wake_at", Instant),
    Column("woken_at", Instant),
    UniqueConstraint("kind", "customer", "subject"),
    Index("ix_cases_state_wake_at", "state", "wake_at"),
)

case_runs = Table(
    "case_runs",
    metadata,
    Column("run_id", String(40), primary_key=True),  # the Prefect flow run
    _case_id(),
    Column("deployment_id", String(40)),
    Column("number", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Index("ix_case_runs_case_id", "case_id", "number"),
)

steps = Table(
    "steps",
    metadata,
    Column("id", String(_ID), primary_key=True),
    _case_id(),
    Column("name", String(_NAME), nullable=False),
    Column("number", Integer, nullable=False),  # the order in which steps of the case began
    Column("state", String(20), nullable=False),
    Column("input_digest", String(64), nullable=False),
    Column("doubt", String(20), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("owner", String(_NAME), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("settles_at", Instant, nullable=False),  # after this instant a lost effect can no longer arrive
    Column("finished_at", Instant),
    Column("output_sealed", LargeBinary),
    Column("error", Text),
    UniqueConstraint("case_id", "name"),
)

resource_leases = Table(
    "resource_leases",
    metadata,
    Column("resource", String(_NAME), primary_key=True),
    Column("owner", String(_NAME)),
    Column("epoch", Integer, nullable=False),
    Column("until", Instant),
    _case_id(nullable=True),
)

reservations = Table(  # things that a case keeps for itself while it waits, an acceptance environment first
    "reservations",
    metadata,
    Column("resource", String(_NAME), primary_key=True),
    _case_id(),
    Column("since_at", Instant, nullable=False),
)

case_facts = Table(  # what is set from outside while a case runs; read by steps only
    "case_facts",
    metadata,
    Column("case_id", String(_ID), ForeignKey("cases.id"), primary_key=True),
    Column("name", String(_NAME), primary_key=True),
    Column("value_sealed", LargeBinary, nullable=False),
    Column("set_at", Instant, nullable=False),
)

connections = Table(  # how a connection to a customer's system stands: one that fails is left alone a while
    "connections",
    metadata,
    Column("customer", String(_NAME), primary_key=True),
    Column("name", String(_NAME), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Instant),
    Column("open_until", Instant),
    Column("reason_sealed", LargeBinary),
)

gates = Table(
    "gates",
    metadata,
    Column("id", String(_ID), primary_key=True),
    _case_id(),
    Column("customer", String(_NAME), nullable=False),
    Column("name", String(_NAME), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("clause", String(20)),  # the clause that sets the deadline
    Column("due_origin", String(20), nullable=False),  # sla, agreement, ours; customer: their own time
    Column("rule", Json, nullable=False),
    Column("question_sealed", LargeBinary, nullable=False),
    Column("shown_digest", String(64), nullable=False),
    Column("documents", Json, nullable=False),
    Column("state", String(20), nullable=False),
    Column("verb", String(20)),
    Column("option", String(_NAME)),
    Column("decided_by", Json),
    Column("reason", Text),
    Column("opened_at", Instant, nullable=False),
    Column("due_by", Instant),
    Column("closes_at_deadline", Boolean, nullable=False),
    Column("closed_at", Instant),
    Column("consumed_at", Instant),
    Column("consumed_by", String(_NAME)),
    UniqueConstraint("case_id", "name"),
    Index("ix_gates_state_due_by", "state", "due_by"),
)

links = Table(
    "links",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("gate_id", String(_ID), ForeignKey("gates.id"), nullable=False),
    Column("person", String(_NAME), nullable=False),  # "<customer or vendor>:<person id>"
    Column("customer", String(_NAME), nullable=False),  # whose key seals it
    Column("contact_sealed", LargeBinary, nullable=False),  # name, address, language, role
    Column("address_index", String(64), nullable=False),  # keyed digest of the address, to find a lost link
    Column("generation", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("opened_at", Instant),
    UniqueConstraint("gate_id", "person"),
    Index("ix_links_person", "person", "state"),
    Index("ix_links_address_index", "address_index"),
)

answers = Table(
    "answers",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("gate_id", String(_ID), ForeignKey("gates.id"), nullable=False),
    Column("person", String(_NAME), nullable=False),
    Column("verb", String(20), nullable=False),
    Column("option", String(_NAME)),
    Column("content_sealed", LargeBinary, nullable=False),  # remark and facts
    Column("documents", Json, nullable=False),
    Column("shown_digest", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("via", String(20), nullable=False),  # link, letter, telephone, email
    Column("link_id", String(_ID)),
    Column("generation", Integer),
    Column("origin_sealed", LargeBinary),  # address and browser it came from, or who entered it
    Column("retracted_at", Instant),
    Index(
        "uq_answers_one_per_person",
        "gate_id",
        "person",
        unique=True,
        sqlite_where=text("retracted_at IS NULL"),
        postgresql_where=text("retracted_at IS NULL"),
    ),
)

wake_ups = Table(
    "wake_ups",
    metadata,
    Column("id", String(_ID), primary_key=True),
    _case_id(),
    Column("gate_id", String(_ID), ForeignKey("gates.id")),
    Column("kind", String(20), nullable=False),
    Column("name", String(_NAME), nullable=False),
    Column("label", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String(20), nullable=False),
    Column("contacts_sealed", LargeBinary),  # whom an escalation tells
    Column("prefect_run_id", String(40)),  # the scheduled run that shows it in the Prefect UI
    Column("shown_at", Instant),  # the instant at which that run stands
    UniqueConstraint("case_id", "name"),
    Index("ix_wake_ups_state_at", "state", "at"),
    # Without these a case's own few are looked for among those of all cases, in every decision.
    Index("ix_wake_ups_case_id", "case_id", "state", "at"),
    Index("ix_wake_ups_gate_id", "gate_id", "state"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("key", String(_NAME), nullable=False, unique=True),
    _case_id(nullable=True),
    Column("gate_id", String(_ID), ForeignKey("gates.id")),
    Column("link_id", String(_ID), ForeignKey("links.id")),
    Column("generation", Integer),  # of the link at the time of writing: a reissued link voids older mails
    Column("customer", String(_NAME), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("language", String(2), nullable=False),
    Column("recipient_sealed", LargeBinary, nullable=False),
    Column("context_sealed", LargeBinary, nullable=False),
    Column("about", String(80)),  # evidence reference whose number the mail tells, e.g. "answer:<id>"
    Column("message_id", String(_NAME), nullable=False, unique=True),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("owner", String(_NAME)),
    Column("next_at", Instant, nullable=False),
    Column("queued_at", Instant, nullable=False),
    Column("relayed_at", Instant),
    Column("settled_at", Instant),
    Column("last_error", Text),
    Index("ix_outbox_state_next_at", "state", "next_at"),
    Index("ix_outbox_case_id", "case_id"),
    Index("ix_outbox_gate_id", "gate_id"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("customer", String(_NAME), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("name_sealed", LargeBinary, nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored_at", Instant, nullable=False),
    Column("stored_by", String(_NAME), nullable=False),
    UniqueConstraint("customer", "sha256"),
)

chains = Table(
    "chains",
    metadata,
    Column("chain", String(_NAME), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("head", String(64), nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("chain", String(_NAME), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event", String(80), nullable=False),
    Column("case_id", String(_ID)),
    Column("about", String(80)),  # "answer:<id>", "gate:<id>", "step:<id>", …
    Column("clause", String(20)),
    Column("at", Instant, nullable=False),
    Column("payload_digest", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("leaf", String(64), nullable=False),
    Index("ix_evidence_case_id", "case_id"),
    Index("ix_evidence_about", "about"),
)

evidence_payloads = Table(  # erasable: the chain holds only SHA-256(salt ‖ payload)
    "evidence_payloads",
    metadata,
    Column("chain", String(_NAME), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("payload_sealed", LargeBinary, nullable=False),  # salt and payload
)

heads_sent = Table(  # heads that left the house in receipts and reports
    "heads_sent",
    metadata,
    Column("chain", String(_NAME), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("head", String(64), nullable=False),
    Column("sent_at", Instant, nullable=False),
)
