"""What is asked of PostgreSQL's catalog to count a database, and the settings a count is made under."""

from __future__ import annotations

from typing import Final, LiteralString

LARGE_OBJECTS: Final = "large objects"
OBJECTS: Final = "objects"
SAFE: Final = [
    *("bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric"),
    *("text", "varchar", "bpchar", "char", "name", "bytea", "uuid", "jsonb"),
    *("date", "time", "timetz", "timestamp", "timestamptz", "inet", "cidr", "macaddr", "macaddr8"),
]
"""Types whose hash is of the value alone, and differs whenever their text does."""

# All that text of a value depends on.
SETTINGS: Final = {
    "search_path": "pg_catalog",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "xmloption": "content",
    "lc_monetary": "C",
    # A policy that hides rows is an error, as it is for pg_dump, and never a short count.
    "row_security": "off",
    # Cores are for the dump and its compression; a count has all of their time.
    "max_parallel_workers_per_gather": "0",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "jit": "off",
}
_OURS: Final = """
    n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = {catalog}::regclass AND d.objid = {oid} AND d.deptype = 'e')
"""
BEGIN: Final = """
    SELECT clock_timestamp(), current_setting('server_version'), current_setting('server_version_num')::int,
        (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text
"""
LARGE: Final = """
    WITH RECURSIVE piece(id, place, hash, whole) AS (
        SELECT m.oid, 0::bigint, {hash}(ROW(m.oid, 0::bigint, p.data){text}, 0), length(p.data) = 1048576
        FROM pg_largeobject_metadata m, LATERAL (SELECT lo_get(m.oid, 0, 1048576) AS data OFFSET 0) p
        UNION ALL
        SELECT id, place + 1048576, {hash}(ROW(id, place + 1048576, p.data){text}, 0),
            length(p.data) = 1048576
        FROM piece, LATERAL (SELECT lo_get(id, place + 1048576, 1048576) AS data OFFSET 0) p WHERE whole)
    SELECT count(DISTINCT id), coalesce(sum(hash), 0)::text FROM piece
"""


def _ours(catalog: LiteralString, oid: LiteralString) -> LiteralString:
    return _OURS.replace("{catalog}", f"'{catalog}'").replace("{oid}", oid)


# Partitions and children of inheritance hold their own rows; a partitioned table holds none.
TABLES: Final = f"""
    SELECT c.oid, format('%I.%I', n.nspname, c.relname), n.nspname, c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {_ours("pg_class", "c.oid")} ORDER BY 2
"""  # noqa: S608 - our own words
COLUMNS: Final = """
    SELECT a.attrelid, a.attname, a.attcollation <> 0,
        y.typnamespace = 'pg_catalog'::regnamespace AND coalesce(e.typname, y.typname) = ANY (%s)
    FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_type e ON e.oid = y.typelem AND y.typcategory = 'A'
    WHERE a.attrelid = ANY (%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""
SEQUENCES: Final = f"""
    SELECT format('%I.%I', n.nspname, c.relname), n.nspname, c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND {_ours("pg_class", "c.oid")} ORDER BY 1
"""  # noqa: S608 - our own words
COUNTED: Final = f"""
    SELECT kind, count(*) FROM (
        SELECT CASE c.relkind WHEN 'v' THEN 'views' WHEN 'm' THEN 'materialized views'
            WHEN 'i' THEN 'indexes' WHEN 'I' THEN 'indexes'
            WHEN 'p' THEN 'partitioned tables' WHEN 'f' THEN 'foreign tables' END AS kind
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('v', 'm', 'i', 'I', 'p', 'f') AND {_ours("pg_class", "c.oid")}
        UNION ALL SELECT 'functions' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_ours("pg_proc", "p.oid")}
        UNION ALL SELECT 'constraints' FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace
        WHERE o.contype IN ('c', 'f', 'p', 'u', 'x') AND {_ours("pg_constraint", "o.oid")}
        UNION ALL SELECT 'triggers' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT t.tgisinternal AND {_ours("pg_trigger", "t.oid")}
        UNION ALL SELECT 'extensions' FROM pg_extension WHERE extname <> 'amcheck') all_of_them
    GROUP BY kind ORDER BY kind
"""  # noqa: S608 - our own words
