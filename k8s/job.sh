#!/bin/sh
# Start the Job of jobs/NAME.yaml with the image of the registry, wait for it to end, and print its output: k8s/job.sh NAME.
# Where this script is interrupted, the Job goes on, to its own deadline.
set -eu
here=$(dirname "$0")
namespace=pokewatch-flows
image=${POKEWATCH_IMAGE:-$(kubectl --namespace pokewatch get deployment mlflow --output 'jsonpath={.spec.template.spec.containers[0].image}')}
job=$(sed "s|image: pokewatch/pipeline:.*|image: $image|" "$here/jobs/$1.yaml" | kubectl create --filename - --output name)
echo "waiting for $job in namespace $namespace to end" >&2
seconds=0
while :; do
    ended=$(kubectl --namespace "$namespace" get "$job" --output 'jsonpath={.status.conditions[?(@.status=="True")].type}')
    case " $ended " in *" Complete "* | *" Failed "*) break ;; esac
    sleep 1
    seconds=$((seconds + 1))
    if [ $((seconds % 30)) = 0 ]; then
        kubectl --namespace "$namespace" get pods --selector "job-name=${job#*/}" --no-headers >&2
    fi
done
# No pod is left of a Job that exceeded its deadline.
kubectl --namespace "$namespace" logs "$job" || true
case " $ended " in *" Complete "*) exit 0 ;; esac
kubectl --namespace "$namespace" get "$job" --output 'jsonpath={.metadata.name} failed: {.status.conditions[?(@.type=="Failed")].message}{"\n"}' >&2
exit 1
