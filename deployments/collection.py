"""What Prefect imports to know our worker type (entry point `prefect.collections`)."""

from deployments.warm.worker import WarmWorker

__all__ = ["WarmWorker"]
