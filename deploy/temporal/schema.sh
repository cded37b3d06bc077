#!/bin/sh
# Brings Temporal's two databases to the schema of this image's version; nothing happens when they are there already.
set -eu

migrate() {
    database=$1 schema=$2
    set -- temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_HOST" -p 5432 -u "$POSTGRES_USER" --db "$database"
    "$@" setup-schema -v 0.0
    "$@" update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
}

migrate temporal temporal
migrate temporal_visibility visibility
