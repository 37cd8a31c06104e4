"""What can go wrong with a customer's ERP, one sentence each; the ERP's own words are kept in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.secrets import redacted
from nakoming.errors import NakomingError, UsageError

if TYPE_CHECKING:
    from typing import Any


class ErpError(NakomingError):
    """The base: caught by whoever must go on with the other customers."""

    template = "The ERP {where}: {reason}."
    code = "NK7200"

    def __init__(self, **data: Any) -> None:
        # A driver's message may repeat a connection string: no secret that was resolved stays in it.
        super().__init__(
            **{name: redacted(each) if isinstance(each, str) else each for name, each in data.items()}
        )


class ErpUnreachable(ErpError):
    """No connection: nothing has happened there, and it may be tried again."""

    template = "The ERP {where} cannot be reached: {reason}."
    code = "NK7201"


class ErpLoginRefused(ErpError):
    """The ERP answers and does not let us in; trying again would lock the account."""

    template = "The ERP {where} refuses the login of {username!r}: {reason}."
    code = "NK7202"


class ErpConnectionLost(ErpError):
    """The connection broke; what was being written is found by its key, what was read is read again."""

    template = "The connection to the ERP {where} broke while {doing}: {reason}."
    code = "NK7203"


class ErpSlow(ErpError):
    """A statement took longer than the connection allows; the ERP was told to end it."""

    template = "The ERP {where} did not finish in time while {doing}: {reason}."
    code = "NK7204"


class ErpLocked(ErpError):
    """Somebody else holds what is wanted; it may be tried again."""

    template = "The ERP {where} keeps a lock that stops {doing}: {reason}."
    code = "NK7205"


class ErpReadOnly(ErpError):
    """The ERP takes no changes now."""

    template = "The ERP {where} is read-only, which stops {doing}: {reason}."
    code = "NK7206"


class ErpFull(ErpError):
    """The ERP has no room left."""

    template = "The ERP {where} is full, which stops {doing}: {reason}."
    code = "NK7207"


class ErpTableMissing(ErpError):
    """A table that the data contract names is not there."""

    template = "The ERP {where} has no table {table}."
    code = "NK7208"


class ErpEncodingWrong(ErpError):
    """Text there is not in the encoding that the connection states; no sign of it is guessed."""

    template = (
        "The ERP {where} holds text that is not {encoding}, found while {doing}: {reason}. "
        "Set the connection's encoding to the one its tables are in."
    )
    code = "NK7209"


class ErpKeyMissing(ErpError):
    """Keys were asked of a table without a primary key."""

    template = "Table {table} of the ERP {where} has no primary key; name the columns of its key."
    code = "NK7210"


class WatermarkInFuture(ErpError):
    """Changes made until the ERP's clock passes the watermark would be missed without a sign.

    It does not heal by waiting: what changed while the clock was behind stays behind the watermark. The table
    is to be read in full once, or the watermark set back by a person.
    """

    template = (
        "The watermark {watermark} of {table} lies in the future: the clock of the ERP {where} says {now}. "
        "Read the table in full once, or set the watermark back."
    )
    code = "NK7211"


class CopyUnsupported(ErpError):
    """This kind of connection has no COPY."""

    template = "The ERP {where} is no PostgreSQL reached directly, so it has no COPY; read its rows."
    code = "NK7212"


class OdbcMissing(ErpError):
    """The machine lacks what ODBC needs."""

    template = (
        "The ERP {where} is reached over ODBC, which this machine lacks: {reason}. "
        "Install unixODBC (on Debian: apt-get install unixodbc) and the ERP's ODBC driver."
    )
    code = "NK7213"


class ErpValueRefused(ErpError):
    """The ERP refuses these values (a constraint, a trigger, a type): the matter of one row."""

    template = "The ERP {where} refuses {doing}: {reason}."
    code = "NK7214"


class ErpStatementRefused(ErpError):
    """The ERP refuses what we ask, whatever the row: a right is missing, or a column."""

    template = "The ERP {where} does not allow {doing}: {reason}."
    code = "NK7215"


class ErpSettingInvalid(UsageError, ValueError):
    """A connection is described wrongly."""

    template = "The connection to an ERP is described wrongly: {reason}."
    code = "NK7216"


class NameInvalid(UsageError, ValueError):
    """A table or column of a data contract can be no name at any ERP."""

    template = "{name!r} cannot name a table or column: it is empty or holds a null sign."
    code = "NK7217"


class InboxFileMissing(ErpError):
    """A file or folder of the inbox is not there or cannot be read."""

    template = "{path} in the inbox {where} cannot be {done}: {reason}."
    code = "NK7220"


class InboxReadOnly(ErpError):
    """The account may read the inbox but not write to it."""

    template = "The inbox {where} takes no changes: {path} cannot be {done}: {reason}."
    code = "NK7221"


class InboxFileChanged(ErpError):
    """A file grew, shrank or was replaced since it was listed; nothing of it is kept, and it stays there."""

    template = (
        "{path} in the inbox {where} is not the file any more that was listed; it is left until it rests."
    )
    code = "NK7222"


class InboxNameRefused(ErpError):
    """A name that is no plain file name."""

    template = "{name!r} is no plain file name, so it is not used in the inbox {where}."
    code = "NK7223"


class InboxFileTooLarge(ErpError):
    """A file that is larger than the inbox allows; nothing of it was read."""

    template = "{path} in the inbox {where} has {size} bytes; {most} are allowed."
    code = "NK7224"


class InboxLost(ErpError):
    """The connection broke; whatever was being done can be done again."""

    template = "The connection to the inbox {where} broke while {path} was {done}: {reason}."
    code = "NK7225"
