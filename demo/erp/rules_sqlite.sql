-- What the ERP does by itself, on SQLite. What it refuses is a trigger for each closed order: see play.close.

CREATE TABLE erp_row_versions (
    last bigint NOT NULL
);
INSERT INTO erp_row_versions VALUES (0);

-- The version a trigger gives is itself an update; that it differs keeps the next trigger from firing.
CREATE TRIGGER erp_orders_touched_by_insert AFTER INSERT ON erp_orders
BEGIN
    UPDATE erp_row_versions SET last = last + 1;
    UPDATE erp_orders
    SET row_version = (SELECT last FROM erp_row_versions), changed_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER erp_orders_touched_by_update AFTER UPDATE ON erp_orders
WHEN NEW.row_version = OLD.row_version
BEGIN
    UPDATE erp_row_versions SET last = last + 1;
    UPDATE erp_orders
    SET row_version = (SELECT last FROM erp_row_versions), changed_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER erp_operations_touched_by_insert AFTER INSERT ON erp_operations
BEGIN
    UPDATE erp_row_versions SET last = last + 1;
    UPDATE erp_operations
    SET row_version = (SELECT last FROM erp_row_versions), changed_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER erp_operations_touched_by_update AFTER UPDATE ON erp_operations
WHEN NEW.row_version = OLD.row_version
BEGIN
    UPDATE erp_row_versions SET last = last + 1;
    UPDATE erp_operations
    SET row_version = (SELECT last FROM erp_row_versions), changed_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER erp_materials_touched_by_insert AFTER INSERT ON erp_materials
BEGIN
    UPDATE erp_row_versions SET last = last + 1;
    UPDATE erp_materials
    SET row_version = (SELECT last FROM erp_row_versions), changed_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
    WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER erp_materials_touched_by_update AFTER UPDATE ON erp_materials
WHEN NEW.row_version = OLD.row_version
BEGIN
    UPDATE erp_row_versions SET last = last + 1;
    UPDATE erp_materials
    SET row_version = (SELECT last FROM erp_row_versions), changed_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
    WHERE rowid = NEW.rowid;
END;

-- Of an order that stands there in two versions the newest is the order.
CREATE TRIGGER erp_status_in_applied AFTER INSERT ON erp_status_in
BEGIN
    UPDATE erp_orders SET status = NEW.status
    WHERE rtrim(order_no) = rtrim(NEW.order_no)
        AND row_version = (
            SELECT max(row_version) FROM erp_orders WHERE rtrim(order_no) = rtrim(NEW.order_no)
        );
END;

ANALYZE;
