-- Made after the tables are filled, which is quicker.

CREATE INDEX erp_orders_row_version ON erp_orders (row_version);
CREATE INDEX erp_operations_row_version ON erp_operations (row_version);
CREATE INDEX erp_materials_row_version ON erp_materials (row_version);
CREATE INDEX erp_orders_order_no ON erp_orders (order_no);
CREATE INDEX erp_operations_order_no ON erp_operations (order_no);
CREATE INDEX erp_materials_order_no ON erp_materials (order_no);
-- Some numbers end in blanks.
CREATE INDEX erp_orders_bare_order_no ON erp_orders (rtrim(order_no));
