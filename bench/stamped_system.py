"""The embedded system as `nakoming up` starts it, with a portal and a worker that note instants."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from deployments.embedded import __main__ as embedded
from deployments.embedded import supervisor
from deployments.embedded.services import Service, services

if TYPE_CHECKING:
    from deployments.embedded.system import System

_STAMPED = {"deployments.portal": "bench.stamped_portal", "prefect": "bench.stamped_worker"}
_ROLES = {"portal", "worker"}


def stamped_services(system: System) -> list[Service]:
    """The services of the product, two of them under another module's name."""
    return [_stamped(each) if each.name in _ROLES else each for each in services(system)]


def _stamped(service: Service) -> Service:
    python, dash_m, module, *words = service.command
    return replace(service, command=(python, dash_m, _STAMPED[module], *words))


if __name__ == "__main__":
    supervisor.services = stamped_services
    sys.exit(embedded.main())
