"""The form in which operators start the street in the Prefect UI."""

from __future__ import annotations

from flows.rfc_street import rfc_street


def test_every_field_of_the_form_says_what_it_is_and_what_is_allowed() -> None:
    fields = rfc_street.parameters.properties
    assert [name for name, field in fields.items() if not field.get("description")] == []
    assert [name for name, field in fields.items() if not {"type", "anyOf"} & field.keys()] == []
    assert fields["reference"]["pattern"] == "^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$"
    assert fields["kind"]["enum"] == ["rfc", "problem"]
    assert rfc_street.parameters.required == ["customer", "reference", "title", "requester"]
