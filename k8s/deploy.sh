#!/bin/sh
# Apply an overlay and wait for the rollouts. MLServer becomes ready once there is a champion.
set -eu
overlay=${1:-local}
here=$(dirname "$0")
kubectl apply --kustomize "$here/overlays/$overlay" --server-side
if ! kubectl --namespace pokewatch get secret gateway-keys >/dev/null 2>&1; then
    if [ "$overlay" != local ]; then
        echo "Secret gateway-keys is missing: see $here/overlays/$overlay/secrets.example.yaml" >&2
        exit 1
    fi
    keys=$(mktemp -d)
    trap 'rm -rf "$keys"' EXIT
    POKEWATCH_HOME=$keys "${POKEWATCH:-.venv/bin/pokewatch}" keys create first
    kubectl --namespace pokewatch create secret generic gateway-keys --from-file=keys.sqlite="$keys/keys.sqlite"
fi
for workload in statefulset/postgres deployment/redis deployment/mlflow; do
    kubectl --namespace pokewatch rollout status "$workload" --timeout 300s
done
