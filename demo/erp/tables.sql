-- The ERP's tables, in words that SQLite and PostgreSQL share. It has no keys on tables of its own: nobody
-- ever asked it to, and that is where its duplicates come from.

CREATE TABLE erp_orders (
    order_no text,
    customer_name text,
    item_no text,
    description text,
    qty text,
    due_date text,
    status text,
    row_version bigint NOT NULL DEFAULT 0,
    changed_at timestamp,
    deleted smallint NOT NULL DEFAULT 0
);
CREATE TABLE erp_operations (
    order_no text,
    op_no integer,
    op_name text,
    planned_min integer,
    row_version bigint NOT NULL DEFAULT 0,
    changed_at timestamp
);
CREATE TABLE erp_materials (
    order_no text,
    line_no integer,
    item_no text,
    qty numeric(12, 3),
    unit text,
    row_version bigint NOT NULL DEFAULT 0,
    changed_at timestamp
);

-- What others write to it. The key of whoever writes is unique, in each of these or in suite_keys.
CREATE TABLE erp_status_in (
    external_key text UNIQUE,
    order_no text NOT NULL,
    status text NOT NULL CONSTRAINT known_status CHECK (status IN ('planned', 'released', 'started', 'finished')),
    at timestamp NOT NULL
);
CREATE TABLE erp_hours_in (
    external_key text UNIQUE,
    order_no text NOT NULL,
    op_no integer NOT NULL,
    employee text NOT NULL,
    worked_on date NOT NULL,
    minutes integer NOT NULL CONSTRAINT minutes_of_a_day CHECK (minutes BETWEEN 1 AND 1440)
);
CREATE TABLE erp_materials_in (
    external_key text UNIQUE,
    order_no text NOT NULL,
    line_no integer NOT NULL,
    item_no text NOT NULL,
    qty numeric(12, 3) NOT NULL CONSTRAINT quantity_above_zero CHECK (qty > 0),
    unit text NOT NULL
);
CREATE TABLE suite_keys (
    external_key text PRIMARY KEY,
    at timestamp NOT NULL
);

CREATE TABLE erp_closed_orders (
    order_no text PRIMARY KEY
);
