#!/bin/sh
# Start the Job of jobs/NAME.yaml with the image of the registry, wait for it to end, and print its output: k8s/job.sh NAME.
# Where this script is interrupted, the Job goes on, to its own deadline, and the next call waits for it rather than start another.
set -eu
here=$(dirname "$0")
namespace=pokewatch-flows
jobs=$(kubectl --namespace "$namespace" get jobs --selector "app.kubernetes.io/name=$1" \
    --output 'jsonpath={range .items[*]}{.metadata.name}{" "}{.status.conditions[*].type}{"\n"}{end}')
job=$(echo "$jobs" | awk 'NF && !/ (Complete|Failed)( |$)/ {print "job.batch/" $1; exit}')
if [ -z "$job" ]; then
    image=${POKEWATCH_IMAGE:-$(kubectl --namespace pokewatch get deployment mlflow --output 'jsonpath={.spec.template.spec.containers[0].image}')}
    job=$(sed "s|image: pokewatch/pipeline:.*|image: $image|" "$here/jobs/$1.yaml" | kubectl create --filename - --output name)
fi
echo "waiting for $job in namespace $namespace to end" >&2
seconds=0
unknown=0
while :; do
    ended=$(kubectl --namespace "$namespace" get "$job" --output 'jsonpath={.status.conditions[?(@.status=="True")].type}') && unknown=0 || unknown=$((unknown + 1))
    if [ "$unknown" = 10 ]; then
        echo "whether $job has ended is not known; call this again to wait for it" >&2
        exit 1
    fi
    case " $ended " in *" Complete "* | *" Failed "*) break ;; esac
    sleep 1
    seconds=$((seconds + 1))
    if [ $((seconds % 30)) = 0 ]; then
        kubectl --namespace "$namespace" get pods --selector "job-name=${job#*/}" --no-headers >&2 || true
    fi
done
# No pod is left of a Job that exceeded its deadline.
kubectl --namespace "$namespace" logs "$job" || true
case " $ended " in *" Complete "*) exit 0 ;; esac
kubectl --namespace "$namespace" get "$job" --output 'jsonpath={.metadata.name} failed: {.status.conditions[?(@.type=="Failed")].message}{"\n"}' >&2
exit 1
