"""The manifests fit Kubernetes' schemas, each other, and what docker-compose runs."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api.settings import ApiSettings
from contract.redis_address import parse_address
from contract.settings import PREFIX
from notifier.settings import NotifierSettings
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
OF_OTHERS = {"Kustomization", "ScaledObject", "PodMonitor"}
"""Kinds that Kubernetes itself does not know."""
PRE_STOP_S = 5
Manifest = dict[str, Any]


def read(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


KUSTOMIZATION = read(FOLDER / "kustomization.yaml")[0]
MANIFESTS = [manifest for path in sorted(FOLDER.glob("*.yaml")) for manifest in read(path)]
COMPOSE = read(ROOT / "docker-compose.yml")[0]


def name_of(manifest: Manifest) -> str:
    found = manifest.get("metadata", {})
    return f"{manifest['kind']}-{found.get('name') or found.get('generateName')}"


def of_kind(*kinds: str) -> list[Manifest]:
    return [manifest for manifest in MANIFESTS if manifest["kind"] in kinds]


WORKLOADS = of_kind("Deployment", "StatefulSet", "Job")
SERVICES_OF_PODS = of_kind("Deployment", "StatefulSet")


def pod_of(workload: Manifest) -> Manifest:
    found: Manifest = workload["spec"]["template"]
    return found


def container_of(workload: Manifest) -> Manifest:
    [found] = pod_of(workload)["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def labels_of_pods() -> Iterator[dict[str, str]]:
    for workload in WORKLOADS:
        yield pod_of(workload)["metadata"]["labels"]


@pytest.mark.parametrize("version", ["1.29.0", "1.37.0"])
@pytest.mark.parametrize("manifest", [one for one in MANIFESTS if one["kind"] not in OF_OTHERS], ids=name_of)
def test_every_manifest_fits_its_schema_with_no_field_too_many(manifest: Manifest, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schema_check_notices_a_misspelt_field() -> None:
    [claim] = of_kind("PersistentVolumeClaim")

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**claim, "spec": {**claim["spec"], "accessMode": []}}, "1.37.0", strict=True)


@pytest.mark.parametrize("workload", WORKLOADS, ids=name_of)
def test_no_pod_is_root_or_can_become_it_or_writes_outside_its_volumes(workload: Manifest) -> None:
    pod, container = pod_of(workload)["spec"], container_of(workload)

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 10_000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("workload", WORKLOADS, ids=name_of)
def test_every_pod_has_bounds_and_every_service_probes(workload: Manifest) -> None:
    container = container_of(workload)

    assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert (workload["kind"] == "Job") or {"livenessProbe", "readinessProbe"} <= container.keys()


@pytest.mark.parametrize("workload", WORKLOADS, ids=name_of)
def test_what_is_mounted_is_there(workload: Manifest) -> None:
    pod, container = pod_of(workload)["spec"], container_of(workload)
    declared = {volume["name"] for volume in pod["volumes"]}
    declared |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", ())}
    claims = {claim["metadata"]["name"] for claim in of_kind("PersistentVolumeClaim")}

    assert {mount["name"] for mount in container["volumeMounts"]} == declared
    asked = {
        volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume
    }
    assert asked <= claims


def test_only_training_writes_models() -> None:
    writers = [
        name_of(workload)
        for workload in WORKLOADS
        for mount in container_of(workload)["volumeMounts"]
        if mount["name"] == "models" and not mount.get("readOnly")
    ]

    assert writers == ["Job-training-"]


def test_every_variable_is_a_setting() -> None:
    of_services = (ApiSettings, WorkerSettings, NotifierSettings)
    settings = {(PREFIX + name).upper() for service in of_services for name in service.model_fields}
    settings.add("RETORT_REDIS_PASSWORD_FILE")
    given = {literal.partition("=")[0] for literal in KUSTOMIZATION["configMapGenerator"][0]["literals"]}
    given |= {variable["name"] for workload in WORKLOADS for variable in container_of(workload).get("env", ())}

    assert given <= settings


@pytest.mark.parametrize("manifest", of_kind("Service", "PodDisruptionBudget", "NetworkPolicy"), ids=name_of)
def test_every_selector_finds_a_pod(manifest: Manifest) -> None:
    spec = manifest["spec"]
    chosen = spec.get("podSelector", spec.get("selector"))
    wanted = chosen if manifest["kind"] == "Service" else chosen.get("matchLabels", {})

    assert any(wanted.items() <= labels.items() for labels in labels_of_pods())


def test_the_notifier_alone_may_leave_the_cluster_and_then_for_public_addresses() -> None:
    blocks = [
        (manifest["metadata"]["name"], to["ipBlock"])
        for manifest in of_kind("NetworkPolicy")
        for rule in manifest["spec"].get("egress", ())
        for to in rule["to"]
        if "ipBlock" in to
    ]
    refused = [ip_network(each) for _, block in blocks for each in block.get("except", ())]

    assert {name for name, _ in blocks} == {"notifier"}
    for local in ("10.0.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1", "100.64.0.1", "224.0.0.1"):
        assert any(ip_address(local) in network for network in refused)


@pytest.mark.parametrize("workload", SERVICES_OF_PODS, ids=name_of)
def test_a_workload_selects_its_own_pods_and_no_other_workloads(workload: Manifest) -> None:
    wanted = workload["spec"]["selector"]["matchLabels"].items()

    assert [wanted <= labels.items() for labels in labels_of_pods()].count(True) == 1
    assert wanted <= pod_of(workload)["metadata"]["labels"].items()


def test_services_and_probes_name_ports_that_containers_have() -> None:
    ports = {port["name"] for workload in SERVICES_OF_PODS for port in container_of(workload)["ports"]}
    named = {port["targetPort"] for service in of_kind("Service") for port in service["spec"]["ports"]}
    named |= {
        probe["httpGet"]["port"]
        for workload in SERVICES_OF_PODS
        for key, probe in container_of(workload).items()
        if key.endswith("Probe") and "httpGet" in probe
    }
    [monitor] = of_kind("PodMonitor")
    named |= {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}

    assert named <= ports


def test_every_image_has_its_place_in_the_registry() -> None:
    placed = {image["name"] for image in KUSTOMIZATION["images"]} | {COMPOSE["services"]["redis"]["image"]}

    assert {container_of(workload)["image"] for workload in SERVICES_OF_PODS} == placed


def test_the_kustomization_lists_what_needs_nothing_installed() -> None:
    apart = {"kustomization.yaml", "training-job.yaml", "autoscaling.yaml", "monitoring.yaml"}

    assert set(KUSTOMIZATION["resources"]) == {path.name for path in FOLDER.glob("*.yaml")} - apart


OF_A_GROUP = {"masterauth", "replica-announce-ip"}
"""Directives of servers that may become each other's replicas."""


def directives(command: list[str]) -> list[str]:
    """What the configuration in a shell's command sets."""
    lines = command[-1].partition("<<CONF\n")[2].partition("CONF")[0].splitlines()
    return [word for line in lines if (word := line.split()[0])[0].islower()]


def test_redis_is_configured_as_by_docker_compose() -> None:
    [redis] = of_kind("StatefulSet")
    composed = directives(COMPOSE["services"]["redis"]["command"])

    assert directives(container_of(redis)["command"]) == [each for each in composed if each not in OF_A_GROUP]


GROUP = {name_of(manifest): manifest for path in (FOLDER / "ha").glob("*.yaml") for manifest in read(path)}


@pytest.mark.parametrize("name", ["StatefulSet-sentinel", "Service-sentinel", "Service-redis-nodes",
                                  "NetworkPolicy-to-sentinels", "NetworkPolicy-redis-group"])  # fmt: skip
def test_the_manifests_of_a_group_fit_the_schemas(name: str) -> None:
    kubernetes_validate.validate(GROUP[name], "1.37.0", strict=True)


def test_a_group_is_configured_as_by_docker_compose() -> None:
    services = COMPOSE["services"]
    redis, sentinel = (container_of(GROUP[f"StatefulSet-{name}"]) for name in ("redis", "sentinel"))

    assert directives(redis["command"]) == directives(services["redis"]["command"])
    assert directives(sentinel["command"]) == directives(services["sentinel-1"]["command"])
    assert {services[f"redis{end}"]["image"] for end in ("", "-2", "-3")} == {sentinel["image"]}


def test_a_group_is_found_by_the_names_that_its_members_have() -> None:
    [address] = [
        literal.partition("=")[2]
        for generator in GROUP["Kustomization-None"]["configMapGenerator"]
        for literal in generator["literals"]
        if literal.startswith(PREFIX + "REDIS_URL")
    ]
    hosts = [host for host, _ in parse_address(address).sentinels]
    sentinels = GROUP["StatefulSet-sentinel"]["spec"]

    assert hosts == [f"sentinel-{n}.{sentinels['serviceName']}" for n in range(sentinels["replicas"])]
    assert GROUP["StatefulSet-redis"]["spec"]["serviceName"] == "redis-nodes"


def test_the_api_is_given_the_time_that_its_clients_may_wait() -> None:
    [api] = [workload for workload in WORKLOADS if workload["metadata"].get("name") == "api"]
    longest_s = ApiSettings.model_fields["max_wait_s"].default

    assert pod_of(api)["spec"]["terminationGracePeriodSeconds"] > PRE_STOP_S + longest_s
    assert container_of(api)["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", str(PRE_STOP_S)]


def test_a_gpu_worker_has_one_gpu_and_insists_on_it() -> None:
    [worker] = [workload for workload in WORKLOADS if workload["metadata"].get("name") == "worker-gpu"]

    assert container_of(worker)["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "RETORT_DEVICE", "value": "gpu"} in container_of(worker)["env"]


def test_the_autoscaler_scales_a_deployment_that_is_there() -> None:
    [scaled] = of_kind("ScaledObject")
    spec = scaled["spec"]

    assert spec["scaleTargetRef"]["name"] in {one["metadata"]["name"] for one in of_kind("Deployment")}
    assert 0 < spec["minReplicaCount"] < spec["maxReplicaCount"]
    for trigger in spec["triggers"]:
        assert trigger.keys() == {"type", "name", "metadata"}
        assert trigger["metadata"].keys() >= {"serverAddress", "query", "threshold"}
        assert all(isinstance(value, str) for value in trigger["metadata"].values())


BUCKET = {name_of(manifest): manifest for path in (FOLDER / "bucket").glob("*.yaml") for manifest in read(path)}


def test_with_models_in_a_bucket_what_is_fetched_goes_where_the_volume_was() -> None:
    kubernetes_validate.validate(BUCKET["NetworkPolicy-to-the-bucket"], "1.37.0", strict=True)
    for name in ("api", "worker-cpu", "worker-gpu"):
        [base] = [one for one in of_kind("Deployment") if one["metadata"]["name"] == name]
        patched = BUCKET[f"Deployment-{name}"]
        [mount], [volume] = container_of(patched)["volumeMounts"], pod_of(patched)["spec"]["volumes"]

        assert container_of(patched)["name"] == container_of(base)["name"]
        assert container_of(patched)["envFrom"][0] == container_of(base)["envFrom"][0]
        assert {**mount, "readOnly": True} in container_of(base)["volumeMounts"]
        assert volume["name"] in {each["name"] for each in pod_of(base)["spec"]["volumes"]}
