#!/bin/sh
# Start the Job of jobs/NAME.yaml with the image of the registry, wait for it to end, and print its output: k8s/job.sh NAME [MARKET].
# Where this script is interrupted, the Job goes on, to its own deadline, and the next call waits for it rather than start another.
set -eu
here=$(dirname "$0")
namespace=pokewatch-flows
market=${2:-}
case $market in -* | *- | *[!a-z0-9-]*)
    echo "MARKET '$market' is not a market such as magic-tcgplayer-usd" >&2
    exit 1
    ;;
esac
fields='{.metadata.name}|{.metadata.labels.market}|{.status.conditions[*].type}{"\n"}'
name=
while [ -z "$name" ]; do
    jobs=$(kubectl --namespace "$namespace" get jobs --selector "app.kubernetes.io/name=$1" --output "jsonpath={range .items[*]}$fields{end}")
    name=$(echo "$jobs" | awk -F '|' -v market="$market" 'NF && $2 == market && $3 !~ /(^| )(Complete|Failed)( |$)/ {print $1; exit}')
    [ -z "$name" ] || break
    image=${POKEWATCH_IMAGE:-$(kubectl --namespace pokewatch get deployment mlflow --output 'jsonpath={.spec.template.spec.containers[0].image}')}
    # Of two calls that found the same Jobs, both choose the same name, and the API server takes the first.
    name=$1-$(echo "$jobs" | awk -F '|' '{sub(/.*-/, "", $1); if ($1 + 0 > last) last = $1 + 0} END {print last + 1}')
    if ! fault=$(sed -e "s|^  name: .*|  name: $name|" -e "s|image: pokewatch/pipeline:.*|image: $image|" -e "s|market: \"\"|market: \"$market\"|" \
        ${market:+-e "s|--yes]|--yes, --market, \"$market\"]|"} "$here/jobs/$1.yaml" | kubectl create --filename - 2>&1); then
        found=$(kubectl --namespace "$namespace" get job "$name" --ignore-not-found --output "jsonpath=$fields")
        case $found in
            "$name|$market|"*) echo "$name was started by another call" >&2 ;;
            "$name|"*) name= ;; # for another market: the next number is free
            *)
                echo "$fault" >&2
                exit 1
                ;;
        esac
    fi
done
job=job.batch/$name
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
