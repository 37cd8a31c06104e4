"""The first records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nakoming.records.types import Instant, Json

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "agreements",
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("loaded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("customer", "version", name=op.f("pk_agreements")),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("agreement_version", sa.Integer(), nullable=False),
        sa.Column("flow_revision", sa.Integer(), nullable=False),
        sa.Column("parameters_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("stage", sa.String(length=200), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("waits_for", Json(), nullable=True),
        sa.Column("ask_everything", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("parent_id", sa.String(length=32), nullable=True),
        sa.Column("lease_owner", sa.String(length=200), nullable=True),
        sa.Column("lease_epoch", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("wake_at", Instant(), nullable=True),
        sa.Column("woken_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["cases.id"], name=op.f("fk_cases_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("kind", "customer", "subject", name=op.f("uq_cases_kind")),
    )
    op.create_index("ix_cases_state_wake_at", "cases", ["state", "wake_at"], unique=False)
    op.create_table(
        "chains",
        sa.Column("chain", sa.String(length=200), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_chains")),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", Instant(), nullable=False),
        sa.Column("stored_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("customer", "sha256", name=op.f("uq_documents_customer")),
    )
    op.create_table(
        "evidence",
        sa.Column("chain", sa.String(length=200), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event", sa.String(length=80), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=True),
        sa.Column("about", sa.String(length=80), nullable=True),
        sa.Column("clause", sa.String(length=20), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("payload_digest", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("leaf", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_evidence")),
    )
    op.create_index("ix_evidence_about", "evidence", ["about"], unique=False)
    op.create_index("ix_evidence_case_id", "evidence", ["case_id"], unique=False)
    op.create_table(
        "evidence_payloads",
        sa.Column("chain", sa.String(length=200), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payload_sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_evidence_payloads")),
    )
    op.create_table(
        "heads_sent",
        sa.Column("chain", sa.String(length=200), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("sent_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_heads_sent")),
    )
    op.create_table(
        "case_facts",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("value_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_facts_case_id")),
        sa.PrimaryKeyConstraint("case_id", "name", name=op.f("pk_case_facts")),
    )
    op.create_table(
        "case_runs",
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("deployment_id", sa.String(length=40), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_runs_case_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_case_runs")),
    )
    op.create_index("ix_case_runs_case_id", "case_runs", ["case_id", "number"], unique=False)
    op.create_table(
        "gates",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("clause", sa.String(length=20), nullable=True),
        sa.Column("due_origin", sa.String(length=20), nullable=False),
        sa.Column("rule", Json(), nullable=False),
        sa.Column("question_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("shown_digest", sa.String(length=64), nullable=False),
        sa.Column("documents", Json(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("verb", sa.String(length=20), nullable=True),
        sa.Column("option", sa.String(length=200), nullable=True),
        sa.Column("decided_by", Json(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("due_by", Instant(), nullable=True),
        sa.Column("closes_at_deadline", sa.Boolean(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("consumed_at", Instant(), nullable=True),
        sa.Column("consumed_by", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_gates_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gates")),
        sa.UniqueConstraint("case_id", "name", name=op.f("uq_gates_case_id")),
    )
    op.create_index("ix_gates_state_due_by", "gates", ["state", "due_by"], unique=False)
    op.create_table(
        "reservations",
        sa.Column("resource", sa.String(length=200), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("since_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_reservations_case_id")),
        sa.PrimaryKeyConstraint("resource", name=op.f("pk_reservations")),
    )
    op.create_table(
        "resource_leases",
        sa.Column("resource", sa.String(length=200), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("until", Instant(), nullable=True),
        sa.Column("case_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_resource_leases_case_id")),
        sa.PrimaryKeyConstraint("resource", name=op.f("pk_resource_leases")),
    )
    op.create_table(
        "steps",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("input_digest", sa.String(length=64), nullable=False),
        sa.Column("doubt", sa.String(length=20), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("settles_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("output_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_steps_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("case_id", "name", name=op.f("uq_steps_case_id")),
    )
    op.create_table(
        "answers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("gate_id", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("verb", sa.String(length=20), nullable=False),
        sa.Column("option", sa.String(length=200), nullable=True),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("documents", Json(), nullable=False),
        sa.Column("shown_digest", sa.String(length=64), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("via", sa.String(length=20), nullable=False),
        sa.Column("link_id", sa.String(length=32), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("origin_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("retracted_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_answers_gate_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
    )
    op.create_index(
        "uq_answers_one_per_person",
        "answers",
        ["gate_id", "person"],
        unique=True,
        sqlite_where=sa.text("retracted_at IS NULL"),
        postgresql_where=sa.text("retracted_at IS NULL"),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("gate_id", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("contact_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("address_index", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_links_gate_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("gate_id", "person", name=op.f("uq_links_gate_id")),
    )
    op.create_index("ix_links_address_index", "links", ["address_index"], unique=False)
    op.create_index("ix_links_person", "links", ["person", "state"], unique=False)
    op.create_table(
        "wake_ups",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("gate_id", sa.String(length=32), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("contacts_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("prefect_run_id", sa.String(length=40), nullable=True),
        sa.Column("shown_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_wake_ups_case_id")),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_wake_ups_gate_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wake_ups")),
        sa.UniqueConstraint("case_id", "name", name=op.f("uq_wake_ups_case_id")),
    )
    op.create_index("ix_wake_ups_state_at", "wake_ups", ["state", "at"], unique=False)
    op.create_index("ix_wake_ups_case_id", "wake_ups", ["case_id", "state", "at"], unique=False)
    op.create_index("ix_wake_ups_gate_id", "wake_ups", ["gate_id", "state"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=True),
        sa.Column("gate_id", sa.String(length=32), nullable=True),
        sa.Column("link_id", sa.String(length=32), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("recipient_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("context_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("about", sa.String(length=80), nullable=True),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("queued_at", Instant(), nullable=False),
        sa.Column("relayed_at", Instant(), nullable=True),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_outbox_case_id")),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_outbox_gate_id")),
        sa.ForeignKeyConstraint(["link_id"], ["links.id"], name=op.f("fk_outbox_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outbox_message_id")),
    )
    op.create_index("ix_outbox_state_next_at", "outbox", ["state", "next_at"], unique=False)
    op.create_index("ix_outbox_case_id", "outbox", ["case_id"], unique=False)
    op.create_index("ix_outbox_gate_id", "outbox", ["gate_id"], unique=False)
