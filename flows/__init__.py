"""What operators see in Prefect: one module a lifecycle process."""
