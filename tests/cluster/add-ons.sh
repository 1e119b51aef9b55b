#!/bin/sh
# Add to the cluster of the current context what some tests on a named cluster need: Argo Workflows, metrics-server, Envoy
# Gateway, and cert-manager, which reads Gateway API. Each is applied from its own published manifest.
set -eu
github=https://github.com
apply() {
    kubectl apply --server-side --force-conflicts "$@"
}
add() { # to the arguments of a container: NAMESPACE DEPLOYMENT ARGUMENT
    kubectl --namespace "$1" patch deployment "$2" --type json \
        --patch "[{\"op\": \"add\", \"path\": \"/spec/template/spec/containers/0/args/-\", \"value\": \"$3\"}]"
}
kubectl create namespace argo --dry-run=client --output yaml | kubectl apply --filename -
apply --namespace argo --filename "$github/argoproj/argo-workflows/releases/download/v4.0.5/install.yaml"
apply --filename "$github/kubernetes-sigs/metrics-server/releases/download/v0.9.0/components.yaml"
apply --filename "$github/envoyproxy/gateway/releases/download/v1.9.1/install.yaml"
apply --filename "$github/cert-manager/cert-manager/releases/download/v1.21.2/cert-manager.yaml"
add kube-system metrics-server --kubelet-insecure-tls # the kubelets of kind sign their certificates themselves
add cert-manager cert-manager --enable-gateway-api
for each in argo/workflow-controller kube-system/metrics-server envoy-gateway-system/envoy-gateway \
    cert-manager/cert-manager cert-manager/cert-manager-webhook; do
    kubectl --namespace "${each%/*}" rollout status "deployment/${each#*/}" --timeout 300s
done
