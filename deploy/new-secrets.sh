#!/bin/sh
# Makes the secrets of one installation, once: deploy/new-secrets.sh FILE
set -eu
umask 077
# What is encrypted with a key is lost with it: a file that is there stays as it is.
set -C

random() {
	od -An -tx1 -N32 /dev/urandom | tr -d ' \n'
}

postgres=$(random)
redis=$(random)
cat >"${1:?which file to write, such as deploy/docker/.env}" <<END
POSTGRES_PASSWORD=$postgres
REDIS_PASSWORD=$redis
DATABASE_URL=postgres://tocsin:$postgres@postgres/tocsin
REDIS_URL=redis://:$redis@redis:6379/0
TOCSIN_SECRET_KEYS=$(random)
DJANGO_SECRET_KEY=$(random)
END
