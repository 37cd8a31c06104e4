"""The parts of the exchange with an ERP."""
