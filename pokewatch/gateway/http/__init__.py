"""HTTP: protocol, middleware, problems, request bodies, deadlines and logs."""
