#!/bin/sh
# Restore the previous champion on every MLServer; succeeds or fails within two minutes.
set -eu
here=$(dirname "$0")
image=${POKEWATCH_IMAGE:-$(kubectl --namespace pokewatch get deployment mlflow --output 'jsonpath={.spec.template.spec.containers[0].image}')}
job=$(sed "s|image: pokewatch/pipeline:.*|image: $image|" "$here/jobs/rollback.yaml" | kubectl create --filename - --output name)
for _ in $(seq 120); do
    ended=$(kubectl --namespace pokewatch-flows get "$job" --output 'jsonpath={.status.succeeded}{.status.failed}')
    test -z "$ended" || break
    sleep 1
done
kubectl --namespace pokewatch-flows logs "$job"
test "$(kubectl --namespace pokewatch-flows get "$job" --output 'jsonpath={.status.succeeded}')" = 1
