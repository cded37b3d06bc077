#!/bin/sh
# Run once, when the database folder is new. Three logins: the owner of Postroom's tables migrates; `postroom` serves,
# owns nothing and may only become the four roles the migrations grant to; Temporal has databases of its own.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres \
    --set owner="$POSTROOM_OWNER_PASSWORD" --set service="$POSTROOM_DATABASE_PASSWORD" \
    --set temporal="$TEMPORAL_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE postroom_app NOLOGIN;
CREATE ROLE postroom_system NOLOGIN;
CREATE ROLE postroom_ledger NOLOGIN;
CREATE ROLE postroom_accept NOLOGIN;

CREATE ROLE postroom_owner LOGIN PASSWORD :'owner';
CREATE ROLE postroom LOGIN NOINHERIT PASSWORD :'service';
GRANT postroom_app, postroom_system, postroom_ledger, postroom_accept TO postroom_owner, postroom;
CREATE DATABASE postroom OWNER postroom_owner;
REVOKE ALL ON DATABASE postroom FROM PUBLIC;
GRANT CONNECT ON DATABASE postroom TO postroom;

CREATE ROLE temporal LOGIN PASSWORD :'temporal';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE ALL ON DATABASE temporal, temporal_visibility FROM PUBLIC;
SQL
