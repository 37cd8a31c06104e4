"""Which address leads where."""

from __future__ import annotations

from starlette.routing import Route

from suite import api, pages
from suite.urgency import set_urgency

ROUTES = [
    Route("/", pages.show_orders),
    Route("/orders/{number}", pages.show_order),
    Route("/orders/{number}/hours", pages.add_hours, methods=["POST"]),
    Route("/orders/{number}/materials", pages.add_material, methods=["POST"]),
    Route("/orders/{number}/status", pages.change_status, methods=["POST"]),
    Route("/orders/{number}/master-data", pages.change_master_data, methods=["POST"]),
    Route("/orders/{number}/documents", pages.upload, methods=["POST"]),
    Route("/orders/{number}/documents/{document:int}", pages.download),
    Route("/orders/{number}/urgency", pages.form_of(set_urgency), methods=["POST"]),
    Route("/api/orders", api.get_orders),
    Route("/api/orders", api.post_orders, methods=["POST"]),
    Route("/api/orders/{number}", api.get_order),
    Route("/api/orders/{number}/hours", api.add_hours, methods=["POST"]),
    Route("/api/orders/{number}/materials", api.add_material, methods=["POST"]),
    Route("/api/orders/{number}/status", api.change_status, methods=["POST"]),
    Route("/api/orders/{number}/master-data", api.change_master_data, methods=["POST"]),
    Route("/health", api.get_health),
    Route("/version", api.get_version),
]
