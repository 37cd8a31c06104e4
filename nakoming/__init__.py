"""The core of Nakoming: the agreement's rules, the records, the portal. It never imports Prefect."""
