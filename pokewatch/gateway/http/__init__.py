"""HTTP: the server's protocol, requests and their problems, bodies, deadlines and logs."""
