"""How the portal is served: no access log, no guessed proxies, and no token in whatever is logged."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

import uvicorn

if TYPE_CHECKING:
    from fastapi import FastAPI

_SECRET: Final = re.compile(
    r"/q/[^\s?#\"']+"  # the path of a link
    r"|(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{54}(?:==)?(?![A-Za-z0-9_-])"  # a token
    r"|(?<=nk-)[0-9a-f]{32}=[^\s;,\"']+"  # the cookie of a pass
)
_HIDDEN: Final = "[hidden]"
_KEEP_ALIVE_SECONDS: Final = 30
_BACKLOG: Final = 512


class HideTokens(logging.Filter):
    """Takes links and cookies out of every record: out of its text, its arguments and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it is always let through."""
        record.msg = _SECRET.sub(_HIDDEN, record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = _SECRET.sub(_HIDDEN, record.exc_text)
        return True


def log_config(level: str = "INFO") -> dict[str, Any]:
    """Logging of a process that serves the portal (for `logging.config.dictConfig` and uvicorn)."""
    loggers = ("uvicorn", "uvicorn.error", "uvicorn.access", "nakoming.portal")
    silent = {"handlers": [], "level": "CRITICAL", "propagate": False}
    spoken = {"handlers": ["stderr"], "level": level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"hide_tokens": {"()": HideTokens}},
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["hide_tokens"],
                "stream": "ext://sys.stderr",
            }
        },
        "loggers": {name: silent if name == "uvicorn.access" else spoken for name in loggers},
    }


def server_config(app: FastAPI, *, host: str = "127.0.0.1", port: int = 8460) -> uvicorn.Config:
    """How uvicorn serves the portal. The portal itself judges X-Forwarded-For, so uvicorn must not."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=log_config(),
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        backlog=_BACKLOG,
        lifespan="on",
        ws="none",
    )
