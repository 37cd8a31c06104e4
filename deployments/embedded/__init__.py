"""The whole of Nakoming on one machine: servers, worker and portal as supervised processes on loopback."""
