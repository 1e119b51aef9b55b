#!/bin/sh
# Check that everything runs, and request one answer. POKEWATCH_KEY is an API key; POKEWATCH_URL is the
# gateway's address, by default forwarded by kubectl.
set -eu
: "${POKEWATCH_KEY:?set POKEWATCH_KEY to an API key of the gateway}"
for workload in statefulset/postgres deployment/redis deployment/mlflow deployment/mlserver deployment/gateway; do
    kubectl --namespace pokewatch rollout status "$workload" --timeout 120s
done
url=${POKEWATCH_URL:-}
if [ -z "$url" ]; then
    said=$(mktemp)
    # a free port: another program's answer would be taken for the gateway's
    kubectl --namespace pokewatch port-forward --address 127.0.0.1 service/gateway :80 >"$said" &
    forward=$!
    trap 'kill $forward 2>/dev/null || true; rm -f "$said"' EXIT
    trap 'exit 1' HUP INT TERM
    port=
    until [ -n "$port" ]; do
        ended=
        kill -0 "$forward" 2>/dev/null || ended=yes
        port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$said")
        if [ -z "$port$ended" ]; then
            sleep 0.2
        elif [ -z "$port" ]; then
            echo "the gateway's port cannot be forwarded; POKEWATCH_URL is the address of one that can be reached" >&2
            exit 1
        fi
    done
    url=http://127.0.0.1:$port
fi
curl --silent --show-error --fail --retry 10 --retry-delay 1 --retry-connrefused "$url/ready"
echo
card=$(curl --silent --show-error --fail --header "X-API-Key: $POKEWATCH_KEY" "$url/cards?limit=1" | sed -n 's/.*"card_id": *"\([a-z0-9_-]*\)".*/\1/p')
test -n "$card" || { echo "the catalogue is empty" >&2; exit 1; }
curl --silent --show-error --fail --header "X-API-Key: $POKEWATCH_KEY" --header 'Content-Type: application/json' \
    --data "{\"card_id\": \"$card\"}" "$url/fair_price"
echo
