"""Workloads that read a Secret, in each way in which a container can hold its value, and what becomes of them under KWOK."""

import json

from .waiting import eventually

KEY = "TOKEN"
# KWOK ends a Job's pod at once. This stage, which only pods with the label have, outweighs that one, and is due when no test runs any more.
_KEEPS_RUNNING = "pod-container-running-failed.stage.kwok.x-k8s.io"
_GATE = "keyturn.test/starts"


def pod_spec(secret, how, gated=False):
    """how: env, envFrom, volume or subPath. gated: not scheduled until ungate()."""
    container = {"name": "app", "image": "app"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    if how == "env":
        container["env"] = [{"name": KEY, "valueFrom": {"secretKeyRef": {"name": secret, "key": KEY}}}]
    elif how == "envFrom":
        container["envFrom"] = [{"secretRef": {"name": secret}}]
    elif how in ("volume", "subPath"):
        spec["volumes"] = [{"name": "secret", "secret": {"secretName": secret}}]
        container["volumeMounts"] = [{"name": "secret", "mountPath": f"/run/{KEY}", **({"subPath": KEY} if how == "subPath" else {})}]
    else:
        raise ValueError(how)
    if gated:
        spec["schedulingGates"] = [{"name": _GATE}]
    return spec


def workload(kind, namespace, name, secret, how, replicas=1, gated=False):
    """A Deployment or a StatefulSet. No old pod of a Deployment goes before a new one is available."""
    labels = {"app": name}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(secret, how, gated)}}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    else:
        spec["strategy"] = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": spec}


def bare_pod(namespace, name, secret, how):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
            "spec": pod_spec(secret, how)}


def running_job(namespace, name, secret, how):
    """A Job whose pod runs until it is deleted."""
    meta = {"labels": {"app": name, _KEEPS_RUNNING: "true"},
            "annotations": {f"{_KEEPS_RUNNING}/{key}": "8h" for key in ("delay", "jitter-delay")}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": namespace, "name": name},
            "spec": {"template": {"metadata": meta, "spec": {**pod_spec(secret, how), "restartPolicy": "Never"}}}}


def pods(kube, namespace, name=None):
    """The namespace's pods, or those of one workload."""
    return [pod for pod in kube.items(f"/api/v1/namespaces/{namespace}/pods")
            if name is None or pod["metadata"].get("labels", {}).get("app") == name]


def running(pod):
    return pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def wait_running(kube, namespace, name, count=1, seconds=30):
    """Waits until exactly that many pods of the workload run."""
    eventually(f"{count} pods of {namespace}/{name} run", lambda: sum(map(running, pods(kube, namespace, name))) == count, seconds)


def wait_gated(kube, namespace, name):
    """Waits until a pod of the workload waits to be let start; the pod."""
    return eventually(f"a new pod of {namespace}/{name} waits to start", lambda: next(
        (pod for pod in pods(kube, namespace, name) if pod["spec"].get("schedulingGates")), None))


def ungate(kube, pod):
    """Lets a gated pod start."""
    meta = pod["metadata"]
    kube.send("PATCH", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}",
              [{"op": "remove", "path": "/spec/schedulingGates"}], content_type="application/json-patch+json")


def template_annotations(kube, kind, namespace, name):
    """Of the pod template: what restarts leave there."""
    shown = json.loads(kube.kubectl("-n", namespace, "get", kind.lower(), name, "-o", "json"))
    return shown["spec"]["template"]["metadata"].get("annotations") or {}
