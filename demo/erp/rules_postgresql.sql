-- What the ERP does by itself, on PostgreSQL.

CREATE SEQUENCE erp_row_versions;

-- Writers queue: a version given early and committed late would be passed over by whoever reads by version.
CREATE FUNCTION erp_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('erp_row_versions'));
    RETURN NULL;
END $$;

CREATE FUNCTION erp_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.row_version := nextval('erp_row_versions');
    NEW.changed_at := clock_timestamp() AT TIME ZONE 'UTC';
    RETURN NEW;
END $$;

CREATE TRIGGER queued BEFORE INSERT OR UPDATE ON erp_orders FOR EACH STATEMENT EXECUTE FUNCTION erp_queue();
CREATE TRIGGER queued BEFORE INSERT OR UPDATE ON erp_operations FOR EACH STATEMENT EXECUTE FUNCTION erp_queue();
CREATE TRIGGER queued BEFORE INSERT OR UPDATE ON erp_materials FOR EACH STATEMENT EXECUTE FUNCTION erp_queue();
CREATE TRIGGER touched BEFORE INSERT OR UPDATE ON erp_orders FOR EACH ROW EXECUTE FUNCTION erp_touch();
CREATE TRIGGER touched BEFORE INSERT OR UPDATE ON erp_operations FOR EACH ROW EXECUTE FUNCTION erp_touch();
CREATE TRIGGER touched BEFORE INSERT OR UPDATE ON erp_materials FOR EACH ROW EXECUTE FUNCTION erp_touch();

-- Of an order that stands there in two versions the newest is the order. The lock comes first, so that the
-- version found is still the newest when the row is written.
CREATE FUNCTION erp_apply_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('erp_row_versions'));
    UPDATE erp_orders SET status = NEW.status
    WHERE rtrim(order_no) = rtrim(NEW.order_no)
        AND row_version = (
            SELECT max(row_version) FROM erp_orders WHERE rtrim(order_no) = rtrim(NEW.order_no)
        );
    RETURN NULL;
END $$;

CREATE TRIGGER applied AFTER INSERT ON erp_status_in FOR EACH ROW EXECUTE FUNCTION erp_apply_status();

CREATE FUNCTION erp_refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM erp_closed_orders WHERE order_no = rtrim(NEW.order_no)) THEN
        RAISE EXCEPTION 'Order % is closed for registrations', rtrim(NEW.order_no);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER refused BEFORE INSERT ON erp_hours_in FOR EACH ROW EXECUTE FUNCTION erp_refuse_closed();
CREATE TRIGGER refused BEFORE INSERT ON erp_materials_in FOR EACH ROW EXECUTE FUNCTION erp_refuse_closed();

ANALYZE erp_orders, erp_operations, erp_materials;
