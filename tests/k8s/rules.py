"""Rules across rendered manifests that no schema checks. A rule yields its violations."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

Manifest = dict[str, Any]
Rule = Callable[[Sequence[Manifest]], Iterator[str]]

WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")
# The ports and routes of our containers; tests/k8s/test_rules.py compares them with the code.
PORTS = {
    "gateway": {"http": 8000, "metrics": 8083},
    "serving": {"http": 8080, "grpc": 8081, "metrics": 8082},
    "pipeline": {"http": 5000},
}
ROUTES = {
    "gateway": {"/health", "/ready"},
    "serving": {"/v2/health/live", "/v2/health/ready", "/catalog/markets"},
    "pipeline": {"/health"},
}
ACME = "acme.cert-manager.io/http01-solver"  # the label of pods that cert-manager starts


def selectors_match_labels(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Services, budgets, workloads and spreads choose pods that exist."""
    for manifest in manifests:
        for selector in _selectors(manifest):
            if ACME not in selector and not any(
                _chosen(selector, workload, manifest["metadata"].get("namespace"))
                for workload in _workloads(manifests)
            ):
                yield f"{_named(manifest)} selects {selector}, which no pod has"


def autoscalers_have_targets(manifests: Sequence[Manifest]) -> Iterator[str]:
    """An autoscaler has a target, which sets no replicas."""
    for scaler in _of_kind(manifests, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        found = _find(manifests, target["kind"], target["name"], scaler["metadata"]["namespace"])
        if found is None:
            yield f"{_named(scaler)} scales {target['kind']} {target['name']}, which is not there"
        elif "replicas" in found["spec"]:
            yield f"{_named(found)} names its replicas and has an autoscaler"


def routes_have_targets(manifests: Sequence[Manifest]) -> Iterator[str]:
    """A route has a Service and a listener; a policy of the traffic has what it is for."""
    for route in _of_kind(manifests, "HTTPRoute"):
        namespace = route["metadata"]["namespace"]
        for backend in _backends(route):
            service = _find(manifests, "Service", backend["name"], namespace)
            ports = service["spec"]["ports"] if service else []
            if backend["port"] not in {port["port"] for port in ports}:
                yield f"{_named(route)} leads to {backend}, which is not there"
        for parent in route["spec"]["parentRefs"]:
            gateway = _find(manifests, "Gateway", parent["name"], namespace)
            listeners = gateway["spec"]["listeners"] if gateway else []
            if parent["sectionName"] not in {listener["name"] for listener in listeners}:
                yield f"{_named(route)} hangs on {parent}, which is not there"
    for policy in _of_kind(manifests, "ClientTrafficPolicy", "BackendTrafficPolicy"):
        for target in policy["spec"]["targetRefs"]:
            namespace = policy["metadata"]["namespace"]
            if _find(manifests, target["kind"], target["name"], namespace) is None:
                yield f"{_named(policy)} is for {target}, which is not there"


def ports_have_listeners(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Ports of Services and probes are declared by the container; ours are the real ones."""
    for service in _of_kind(manifests, "Service"):
        pods = [
            each
            for each in _workloads(manifests)
            if _chosen(service["spec"]["selector"], each, service["metadata"]["namespace"])
        ]
        for port in service["spec"]["ports"]:
            if any(port["targetPort"] not in _ports(_container(each)) for each in pods):
                yield f"{_named(service)} leads to port {port['targetPort']}, which nobody declares"
    for workload in _workloads(manifests):
        container = _container(workload)
        for name, probe in _probes(container):
            if "httpGet" in probe and probe["httpGet"]["port"] not in _ports(container):
                port = probe["httpGet"]["port"]
                yield f"{_named(workload)}: {name} asks port {port}, which is not declared"
        real = PORTS.get(_image(container), {})
        for name, number in _ports(container).items():
            if _image(container) in PORTS and real.get(name) != number:
                found = f"{_named(workload)} declares port {name} as {number}"
                yield f"{found}, it listens on {real.get(name)}"


def probes_ask_real_routes(manifests: Sequence[Manifest]) -> Iterator[str]:
    """What serves is asked whether it lives and whether it is ready, at routes that it has."""
    for workload in _workloads(manifests):
        container = _container(workload)
        probes = dict(_probes(container))
        if (
            workload["kind"] not in ("Job", "CronJob")
            and not {"livenessProbe", "readinessProbe"} <= probes.keys()
        ):
            yield f"{_named(workload)} has not both probes"
        for name, probe in probes.items():
            path = probe.get("httpGet", {}).get("path")
            if path and _image(container) in ROUTES and path not in ROUTES[_image(container)]:
                yield f"{_named(workload)}: {name} asks {path}, which is no route of it"


def references_exist(
    manifests: Sequence[Manifest], declared: Sequence[Manifest] = ()
) -> Iterator[str]:
    """Every ConfigMap, Secret, key, volume and service account in use exists, or is `declared`."""
    known = {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]): {
            **each.get("data", {}),
            **each.get("stringData", {}),
        }
        for each in (*manifests, *declared)
        if each["kind"] in ("ConfigMap", "Secret", "ServiceAccount")
    }
    for workload in _workloads(manifests):
        namespace, pod = workload["metadata"]["namespace"], _pod(workload)["spec"]
        account = pod.get("serviceAccountName")
        if account and ("ServiceAccount", namespace, account) not in known:
            yield f"{_named(workload)} runs as {account}, which is not there"
        for kind, name, keys in _references(pod):
            if (kind, namespace, name) not in known:
                yield f"{_named(workload)} uses {kind} {name}, which is not there"
            else:
                yield from (
                    f"{_named(workload)} uses {key} of {kind} {name}"
                    for key in keys
                    if key not in known[kind, namespace, name]
                )
        volumes = {volume["name"] for volume in (*pod.get("volumes", []), *_claims(workload))}
        for mount in _container(workload).get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"{_named(workload)} mounts {mount['name']}, which is no volume"


def every_service_port_is_let_in(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Each namespace denies by default, and each port of a Service has a policy that allows it."""
    policies = _of_kind(manifests, "NetworkPolicy")
    for namespace in {workload["metadata"]["namespace"] for workload in _workloads(manifests)}:
        closed = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        if not any(
            each["spec"] == closed and each["metadata"]["namespace"] == namespace
            for each in policies
        ):
            yield f"namespace {namespace} does not deny by default"
    for service in _of_kind(manifests, "Service"):
        for port in service["spec"]["ports"]:
            let_in = [_entries(policy, service) for policy in policies]
            if port["targetPort"] not in chain.from_iterable(let_in):
                yield f"{_named(service)}: no policy lets anybody in at {port['targetPort']}"


def containers_are_locked_down(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Limits, no root, read-only root file system, no capabilities, no unused token."""
    for workload in _workloads(manifests):
        pod, container = _pod(workload)["spec"], _container(workload)
        around, own = pod.get("securityContext", {}), container.get("securityContext", {})
        resources = container.get("resources", {})
        for kind in ("requests", "limits"):
            if missing := {"cpu", "memory", "ephemeral-storage"} - resources.get(kind, {}).keys():
                yield f"{_named(workload)} has no {kind} of {', '.join(sorted(missing))}"
        wanted = {
            "runAsNonRoot": around.get("runAsNonRoot") is True,
            "runAsUser": around.get("runAsUser", 0) >= 10_000,
            "seccompProfile": around.get("seccompProfile") == {"type": "RuntimeDefault"},
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "automountServiceAccountToken": pod.get("automountServiceAccountToken") is False,
        }
        yield from (
            f"{_named(workload)}: {name} is not locked down"
            for name, kept in wanted.items()
            if not kept
        )


def only_the_gateway_faces_outward(manifests: Sequence[Manifest]) -> Iterator[str]:
    """No Service but the gateway's is reachable from outside the cluster."""
    for service in _of_kind(manifests, "Service"):
        if (
            service["spec"].get("type", "ClusterIP") != "ClusterIP"
            and service["metadata"]["name"] != "gateway"
        ):
            yield f"{_named(service)} is a {service['spec']['type']}"
    for route in _of_kind(manifests, "HTTPRoute"):
        for backend in _backends(route):
            if backend["name"] != "gateway":
                yield f"{_named(route)} leads to {backend['name']}"


def quotas_hold_the_largest_size(manifests: Sequence[Manifest]) -> Iterator[str]:
    """The quota of a namespace covers all replicas at their maximum, and one more of each."""
    for quota in _of_kind(manifests, "ResourceQuota"):
        namespace = quota["metadata"]["namespace"]
        for part, unit in (("cpu", cores), ("memory", bytes_of)):
            asked = sum(
                (_most(manifests, each) + 1) * unit(_container(each)["resources"]["requests"][part])
                for each in _workloads(manifests)
                if each["metadata"]["namespace"] == namespace
            )
            if asked > unit(quota["spec"]["hard"][f"requests.{part}"]):
                yield f"{_named(quota)} has less {part} than its workloads may ask for"


def _most(manifests: Sequence[Manifest], workload: Manifest) -> int:
    for scaler in _of_kind(manifests, "HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == workload["metadata"].get("name"):
            return int(scaler["spec"]["maxReplicas"])
    return int(workload["spec"].get("replicas", 1))


def cores(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


def bytes_of(quantity: str) -> float:
    units = {"Mi": 2**20, "Gi": 2**30, "M": 1e6}
    suffix = next(unit for unit in units if quantity.endswith(unit))
    return float(quantity.removesuffix(suffix)) * units[suffix]


def _of_kind(manifests: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def _workloads(manifests: Iterable[Manifest]) -> list[Manifest]:
    return _of_kind(manifests, *WORKLOADS)


def _find(manifests: Iterable[Manifest], kind: str, name: str, namespace: str) -> Manifest | None:
    return next(
        (
            each
            for each in _of_kind(manifests, kind)
            if each["metadata"] | {"name": name, "namespace": namespace} == each["metadata"]
        ),
        None,
    )


def _backends(route: Manifest) -> Iterator[Manifest]:
    return chain.from_iterable(rule.get("backendRefs", []) for rule in route["spec"]["rules"])


def _named(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']} {metadata.get('namespace', '-')}/{metadata['name']}"


def _pod(workload: Manifest) -> Manifest:
    spec = workload["spec"]
    job = spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec
    pod: Manifest = job["template"]
    return pod


def _container(workload: Manifest) -> Manifest:
    (container,) = _pod(workload)["spec"]["containers"]
    found: Manifest = container
    return found


def _image(container: Manifest) -> str:
    """The last word of the image's name, of our images only."""
    name = str(container["image"]).rpartition(":")[0]
    return name.rpartition("/")[2] if "pokewatch/" in name else ""


def _ports(container: Manifest) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container.get("ports", [])}


def _probes(container: Manifest) -> Iterator[tuple[str, Manifest]]:
    return (
        (name, container[name])
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
        if name in container
    )


def _claims(workload: Manifest) -> list[Manifest]:
    return [claim["metadata"] for claim in workload["spec"].get("volumeClaimTemplates", [])]


def _selectors(manifest: Manifest) -> Iterator[Mapping[str, str]]:
    spec = manifest.get("spec", {})
    if manifest["kind"] == "Service":
        yield spec["selector"]
    elif manifest["kind"] in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
        yield spec["selector"]["matchLabels"]
    if manifest["kind"] in WORKLOADS:
        for spread in _pod(manifest)["spec"].get("topologySpreadConstraints", []):
            yield spread["labelSelector"]["matchLabels"]
    if manifest["kind"] == "NetworkPolicy" and "matchLabels" in spec["podSelector"]:
        yield spec["podSelector"]["matchLabels"]


def _chosen(selector: Mapping[str, str], workload: Manifest, namespace: str | None) -> bool:
    labels = _pod(workload)["metadata"]["labels"]
    return bool(
        workload["metadata"]["namespace"] == namespace and selector.items() <= labels.items()
    )


def _references(pod: Manifest) -> Iterator[tuple[str, str, list[str]]]:
    """Kind, name and keys of every ConfigMap and Secret that a pod uses."""
    for container in pod["containers"]:
        for source in container.get("envFrom", []):
            kind, reference = (
                ("ConfigMap", source["configMapRef"])
                if "configMapRef" in source
                else ("Secret", source["secretRef"])
            )
            yield kind, reference["name"], []
        for variable in container.get("env", []):
            for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                if reference := variable.get("valueFrom", {}).get(field):
                    keys = [] if reference.get("optional") else [reference["key"]]
                    yield kind, reference["name"], keys
    for volume in pod.get("volumes", []):
        if secret := volume.get("secret"):
            yield "Secret", secret["secretName"], [item["key"] for item in secret.get("items", [])]
        if config := volume.get("configMap"):
            yield "ConfigMap", config["name"], [item["key"] for item in config.get("items", [])]


def _entries(policy: Manifest, service: Manifest) -> Iterator[Any]:
    """The ports at which a policy lets somebody in to the pods of a Service."""
    chosen = policy["spec"]["podSelector"].get("matchLabels", {})
    if (
        policy["metadata"]["namespace"] == service["metadata"]["namespace"]
        and chosen.items() <= service["spec"]["selector"].items()
    ):
        for entry in policy["spec"].get("ingress", []):
            yield from (port["port"] for port in entry.get("ports", []))


RULES: tuple[Rule, ...] = (
    selectors_match_labels,
    autoscalers_have_targets,
    routes_have_targets,
    ports_have_listeners,
    probes_ask_real_routes,
    references_exist,
    every_service_port_is_let_in,
    containers_are_locked_down,
    only_the_gateway_faces_outward,
    quotas_hold_the_largest_size,
)
