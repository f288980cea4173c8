"""What PostgreSQL needs beyond SQLAlchemy: the parameters of its URLs, and connections that lead nowhere any more."""

from typing import Any

import sqlalchemy as sa

from llmops_api.settings import WrongSetting

CONNECT_SECONDS = 5

_TAKEN = frozenset(
    {
        *("host", "port", "user", "password", "dbname", "passfile", "service", "target_session_attrs"),
        *("options", "application_name", "connect_timeout", "krbsrvname", "gsslib"),
        *("sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version"),
    }
)
"""The parameters of libpq that asyncpg reads from a DSN too; any other it would pass on as a setting of the server."""

_LEADS_NOWHERE = frozenset({"25006", "57P01", "57P02", "57P03"})
"""Codes of a server that became a replica, or is on its way down or up: its connections must not be used again."""


def driver_options(url: sa.URL) -> dict[str, Any]:
    """What `create_async_engine` is given for the driver that the URL names; asyncpg when it names none.

    asyncpg gets the URL as a DSN, so that `sslmode` and its kin mean what they mean to libpq. Raises `WrongSetting` for
    a parameter that it does not know.
    """
    if "+" in url.drivername and url.get_driver_name() != "asyncpg":
        return {"url": url.update_query_dict({"connect_timeout": str(CONNECT_SECONDS), **url.query})}
    if unknown := sorted(url.query.keys() - _TAKEN):
        raise WrongSetting(
            f"LLMOPS_DATABASE_URL takes the parameters of libpq, such as sslmode, but with asyncpg not {unknown[0]!r}; "
            "postgresql+psycopg:// takes all of them."
        )
    timeout = float(str(url.query.get("connect_timeout", CONNECT_SECONDS)))
    dsn = url.set(drivername="postgresql").difference_update_query(["connect_timeout"])
    arguments = {"dsn": dsn.render_as_string(hide_password=False), "timeout": timeout}
    return {"url": "postgresql+asyncpg://", "connect_args": arguments}


def drop_what_leads_nowhere(context: sa.ExceptionContext) -> None:
    """Listens for `handle_error`: after a failover, let the whole pool connect anew."""
    if getattr(context.original_exception, "sqlstate", None) in _LEADS_NOWHERE:
        context.is_disconnect = True
