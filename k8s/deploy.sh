#!/bin/sh
# Apply an overlay, and wait until it answers: the databases and the registry, a champion, MLServer, the gateway. The overlay
# `local` gets its first key and its first champion here. POKEWATCH_KEY is an API key, where there is one already.
set -eu
overlay=${1:-local}
here=$(dirname "$0")
secrets=$here/overlays/$overlay/secrets.example.yaml
started=$(date +%s)
echo "overlay $overlay, to the cluster of the context $(kubectl config current-context || true)" >&2
if [ "$overlay" = local ]; then
    other=$(kubectl --namespace pokewatch-flows get secrets --output name \
        --field-selector metadata.name=pokewatch-pipeline --selector app.kubernetes.io/instance!=local)
    if [ -n "$other" ]; then
        echo "that cluster has another overlay: its $other would be replaced by example passwords. Choose another context or OVERLAY" >&2
        exit 1
    fi
elif [ -f "$secrets" ] && ! kubectl get --filename="$secrets" --output name >/dev/null; then
    echo "nothing is applied without the Secrets of $secrets: apply k8s/base/namespaces.yaml and a copy of it, filled in" >&2
    exit 1
fi
kubectl apply --kustomize "$here/overlays/$overlay" --server-side
key=${POKEWATCH_KEY:-}
if ! kubectl --namespace pokewatch get secret gateway-keys >/dev/null 2>&1; then
    if [ "$overlay" != local ]; then
        echo "Secret gateway-keys is missing: see $here/overlays/production/secrets.example.yaml" >&2
        exit 1
    fi
    keys=$(mktemp -d)
    trap 'rm -rf "$keys"' EXIT
    trap 'exit 1' HUP INT TERM
    key=$(POKEWATCH_HOME=$keys "${POKEWATCH:-.venv/bin/pokewatch}" keys create first --json | sed -n 's/.*"key": *"\([^"]*\)".*/\1/p')
    if kubectl --namespace pokewatch create secret generic gateway-keys --from-file=keys.sqlite="$keys/keys.sqlite"; then
        echo "the first API key, shown once: $key"
    else
        kubectl --namespace pokewatch get secret gateway-keys --output name
        key=${POKEWATCH_KEY:-}
        echo "another deploy has made the first API key, and shows it" >&2
    fi
fi
for workload in statefulset/postgres deployment/redis deployment/mlflow; do
    kubectl --namespace pokewatch rollout status "$workload" --timeout 600s
done
if [ "$overlay" = local ]; then
    echo "waiting for a champion: the first run takes minutes, later ones find it" >&2
    "$here/job.sh" first-run
fi
for workload in deployment/mlserver deployment/gateway; do
    if ! kubectl --namespace pokewatch rollout status "$workload" --timeout 300s; then
        echo "$workload is not ready: until the daily flow has made a champion, MLServer and so the gateway are not" >&2
        exit 1
    fi
done
if [ -n "$key" ]; then
    POKEWATCH_KEY=$key "$here/verify.sh"
    echo "the first answer came $(($(date +%s) - started)) s after the start" >&2
else
    echo "everything is ready: POKEWATCH_KEY=... make verify asks for an answer" >&2
fi
