#!/bin/sh
# Runs once, when the database of docker-compose.yml is created: the role that Grafana reads with. For your own database see
# deploy/roles.sql.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$READER_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role genesys_reader login password :'password';
create schema if not exists genesys;
create schema if not exists reporting;
grant usage on schema genesys, reporting to genesys_reader;
alter default privileges in schema genesys, reporting grant select on tables to genesys_reader;
SQL
