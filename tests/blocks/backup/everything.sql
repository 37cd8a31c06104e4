CREATE TYPE mood AS ENUM ('ok', 'bad');
CREATE TYPE pair AS (a int, b mood);
CREATE DOMAIN code AS varchar(20) CHECK (VALUE <> 'none');
CREATE TABLE everything (
    id bigserial PRIMARY KEY, yes bool, small int2, whole int4, price numeric, rate float4, exact float8,
    note text, word varchar(40), fixed char(8), other text, raw bytea, key uuid, due date, hour time, zoned timetz,
    local timestamp, at timestamptz, span interval, plain json, binary_json jsonb, page xml, place point, box_ box,
    address inet, net cidr, mac macaddr, bits bit(4), more_bits varbit, cash money, mood mood, moods mood[], pair pair,
    code code, parts text[], grid int[][], period tstzrange, numbers int4range, search tsvector, relation regclass,
    twice int GENERATED ALWAYS AS (whole * 2) STORED, gone int);
ALTER TABLE everything DROP COLUMN gone;
INSERT INTO everything VALUES (
    1, true, -1, 21, 1.50, 0.1, 1e-300, E'tab\there \\ line\nend é 漢 🍅', 'w', 'f', '', '\x0001ff',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2026-02-28', '23:59:59.999999', '12:00+05:30', '2026-10-25 02:30',
    '2026-10-25 02:30:00.000001+02', '1 month', '{"a":1}', '{"b": [1, null]}', '<a>b</a>', '(1,2)', '((0,0),(1,1))',
    '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', B'1010', B'1', '12.34', 'ok', '{ok,bad}', '(1,bad)', 'c',
    '{a,"b,c",NULL}', '{{1,2},{3,4}}', '[2026-01-01,2026-02-01)', '[1,5)', 'a:1 b:2', 'pg_class', DEFAULT);
INSERT INTO everything (id, price, exact, at, due) VALUES (2, 'NaN', 'Infinity', 'infinity', '-infinity');
INSERT INTO everything (id) VALUES (3);
SELECT setval('everything_id_seq', 3);
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
CREATE TABLE lines (id int GENERATED ALWAYS AS IDENTITY, order_id int NOT NULL REFERENCES orders, note text);
INSERT INTO lines (order_id, note) SELECT i, NULL FROM generate_series(1, 100) i;
CREATE INDEX lines_note ON lines (lower(note));
CREATE TABLE empty (a int);
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE events_2027 PARTITION OF events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
INSERT INTO events VALUES ('2026-05-05', 'a');
CREATE TABLE parent (a int);
CREATE TABLE child (b int) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 3);
CREATE TABLE "Ünï ""quoted"" täble" ("Sélect ""x""" text, "from" int);
INSERT INTO "Ünï ""quoted"" täble" VALUES ('x', 1);
CREATE SEQUENCE "Odd 'Seq" START 42;
CREATE VIEW v_orders AS SELECT id FROM orders WHERE note IN ('a', 'b');
CREATE MATERIALIZED VIEW m_orders AS SELECT count(*) FROM orders;
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- SELECT pg_catalog.setval('public.everything_id_seq', 99, true);
    RETURN NEW; END $$;
CREATE TRIGGER orders_touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touched();
SELECT lo_from_bytea(4711, convert_to(repeat('large ', 400000), 'UTF8'));
