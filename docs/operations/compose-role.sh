#!/bin/sh
# Runs once, when Postgres makes its data: the role that daybook serves as, which owns nothing.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$(cat /run/secrets/postgres_app)" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE daybook_app LOGIN PASSWORD :'password';
SQL
