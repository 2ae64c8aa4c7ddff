#!/bin/sh
# Makes secrets/ beside compose.yaml: passwords, the master key, and the settings that hold them. What is there stays.
#
#   docs/operations/compose-secrets.sh simulator    to try the shop out: no money moves
#   docs/operations/compose-secrets.sh stripe       then fill in the two lines about Stripe
set -eu
case "${1:-}" in
simulator | stripe) gateway=$1 ;;
*)
    echo "say who takes payments: $0 simulator, or $0 stripe" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/../.."
if [ -e secrets ]; then
    echo "secrets/ is there already, and stays as it is" >&2
    exit 1
fi
# The directory keeps others on this machine out; the user in the container has to read the files.
umask 022
mkdir -m 0700 secrets
random() { openssl rand -hex 24; }
owner=$(random) app=$(random) token=$(random) meili=$(random)
printf '%s' "$owner" >secrets/postgres_owner
printf '%s' "$app" >secrets/postgres_app
printf 'authorization { token: "%s" }\n' "$token" >secrets/nats_config
printf 'MEILI_MASTER_KEY=%s\n' "$meili" >secrets/meilisearch
cat >secrets/daybook_migrate <<END
DAYBOOK_OWNER_DATABASE_URL=postgres://daybook_owner:$owner@postgres:5432/shop
DAYBOOK_APP_ROLE=daybook_app
END
cat >secrets/daybook_serve <<END
DATABASE_URL=postgres://daybook_app:$app@postgres:5432/shop
NATS_URL=nats://$token@nats:4222
# Whoever loses it loses all personal data: keep a copy elsewhere.
DAYBOOK_MASTER_KEY=$(openssl rand -base64 32)
# A proxy on this machine speaks TLS, and says who asks.
DAYBOOK_TLS=proxy
DAYBOOK_TRUSTED_PROXIES=127.0.0.0/8,::1,172.16.0.0/12
DAYBOOK_DRAIN_NOTICE=10
DAYBOOK_GATEWAY=$gateway
END
if [ "$gateway" = stripe ]; then
    cat >>secrets/daybook_serve <<'END'
DAYBOOK_STRIPE_KEY=
DAYBOOK_STRIPE_WEBHOOK_SECRET=
END
fi
echo "secrets/ is made. Keep a copy of secrets/daybook_serve where nobody else looks."
