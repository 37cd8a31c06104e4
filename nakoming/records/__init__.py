"""What was done, decided and proven: cases, steps, gates, wake-ups, outbox, evidence."""
