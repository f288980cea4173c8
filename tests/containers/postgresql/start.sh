#!/bin/sh
# What the official image does when it starts, as far as docker-compose.yml asks for it.
set -eu
: "${POSTGRES_PASSWORD:?is empty}"
data=/var/lib/postgresql/data
programs=$(echo /usr/lib/postgresql/*/bin)
as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups"

chown postgres "$data"
if [ ! -s "$data/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" >/tmp/password
    $as_postgres "$programs/initdb" --pgdata "$data" --username "$POSTGRES_USER" --pwfile /dev/stdin </tmp/password
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    echo "CREATE DATABASE $POSTGRES_USER" | $as_postgres "$programs/postgres" --single -D "$data" postgres
fi
exec $as_postgres "$programs/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
