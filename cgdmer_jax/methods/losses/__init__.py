"""Loss terms as plain functions of arrays; no modules and no configs."""
