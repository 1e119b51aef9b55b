# Runs once, when the volume of PostgreSQL is empty. The gateway must not reach the registry, so the watches have a role
# and a database of their own.
psql -v ON_ERROR_STOP=1 -v password="$WATCHES_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE watches LOGIN PASSWORD :'password';
CREATE DATABASE watches OWNER watches;
REVOKE CONNECT ON DATABASE mlflow FROM PUBLIC;
SQL
