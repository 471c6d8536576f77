#!/bin/sh
# Runs once, when the database of docker-compose.yml is created: the roles of deploy/roles.sql with their passwords, and nothing
# more than they need. For a database of your own run deploy/roles.sql by hand.
set -eu
psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname "$POSTGRES_DB" --file "${ROLES_SQL:-/deploy/roles.sql}"
psql -v ON_ERROR_STOP=1 -v loader="$LOADER_PASSWORD" -v reader="$READER_PASSWORD" \
  --username "${POSTGRES_USER:-postgres}" --dbname "$POSTGRES_DB" <<'SQL'
alter role genesys_loader password :'loader';
alter role genesys_reader password :'reader';
SQL
