// The API of the simulated Kubernetes: what controller/rotation asks, strict about
// resourceVersions.
#include <stdexcept>

#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/simulation/sim_kube.h"

namespace keyturn::simulation {

namespace {

using nlohmann::json;

http::Response reply(int status, const json& body) {
  return {status, {{"Content-Type", "application/json"}}, body.dump()};
}

http::Response refusal(int code, const std::string& reason, const std::string& message) {
  return reply(code, {{"kind", "Status"},
                      {"apiVersion", "v1"},
                      {"status", "Failure"},
                      {"reason", reason},
                      {"message", message},
                      {"code", code}});
}

json list_of(const std::string& kind, json items) {
  return {{"kind", kind},
          {"apiVersion", "v1"},
          {"metadata", {{"resourceVersion", "1"}}},
          {"items", std::move(items)}};
}

}  // namespace

Result<http::Response> SimKube::send(const http::Request& request) {
  const std::string path = request.url.substr(request.url.find('/', 8));
  const std::string name = request.method + " " + path.substr(0, path.find('?'));
  const bool writes = request.method == "PATCH";
  if (path.find("/secrets/") == std::string::npos) schedule_.said(path + request.body);
  const MonoTime sent = clock_.mono();
  const Schedule::Fate fate = schedule_.send(name, writes);
  switch (fate) {
    case Schedule::Fate::Throttled:
      return refusal(429, "TooManyRequests", "slow down");
    case Schedule::Fate::Refused:
      return refusal(403, "Forbidden", "not allowed");
    case Schedule::Fate::Late:
      schedule_.later(name, sent, [this, request] { (void)answer(request); });
      return lost(name);
    case Schedule::Fate::LostReply:
    case Schedule::Fate::Carried:
      break;
  }
  http::Response answered = answer(request);
  schedule_.arrive();
  if (fate == Schedule::Fate::LostReply) return lost(name);
  return answered;
}

Result<http::Response> SimKube::stream(const http::Request& request,
                                       const std::function<bool(std::string_view)>& on_data) {
  auto answered = send(request);
  if (!answered.ok() || answered->status != 200) return answered;
  (void)on_data(answered->body);
  answered->body.clear();
  return answered;
}

// /api/v1/namespaces/NS/secrets/NAME, /apis/apps/v1/namespaces/NS/deployments/NAME
http::Response SimKube::answer(const http::Request& request) {
  const std::string target = request.url.substr(request.url.find('/', 8));
  const std::vector<std::string> parts = split(target.substr(0, target.find('?')), '/');
  const std::size_t at = parts.at(1) == "api" ? 3 : 4;
  if (parts.at(at) != "namespaces")
    throw std::logic_error("the simulation does not know " + target);
  const std::string& ns = parts.at(at + 1);
  const std::string kind = parts.size() > at + 2 ? parts[at + 2] : "";
  const std::string name = parts.size() > at + 3 ? parts[at + 3] : "";
  const auto home = namespaces.find(ns);
  if (home == namespaces.end()) return refusal(404, "NotFound", "no namespace " + ns);
  if (kind.empty()) {
    json metadata{{"name", ns}};
    if (home->second.going) metadata["deletionTimestamp"] = format_rfc3339(clock_.now());
    return reply(200, {{"kind", "Namespace"}, {"apiVersion", "v1"}, {"metadata", metadata}});
  }
  if (kind == "secrets") return answer_secret(request, ns, name);
  if (kind == "deployments") return answer_workloads(request, "Deployment", ns, name);
  if (kind == "statefulsets") return answer_workloads(request, "StatefulSet", ns, name);
  if (kind == "pods" && name.empty()) return list_pods(ns);
  return reply(200, list_of("List", json::array()));  // other kinds of workload: none here
}

http::Response SimKube::answer_secret(const http::Request& request, const std::string& ns,
                                      const std::string& name) {
  const auto found = secrets.find(ns + "/" + name);
  if (request.method == "GET") {
    if (found == secrets.end()) return refusal(404, "NotFound", "no Secret " + name);
  } else {
    if (namespaces.at(ns).going) return refusal(403, "Forbidden", "the namespace is being deleted");
    if (clock_.mono() < namespaces.at(ns).refuses_until)
      return refusal(403, "Forbidden", "admission webhook denied the request");
    json object = json::parse(request.body);
    const std::string carried = object["metadata"].value("resourceVersion", std::string());
    if (found != secrets.end() && carried != found->second.metadata["resourceVersion"])
      return refusal(409, "Conflict", "the object has been modified");
    Secret& secret = secrets[ns + "/" + name];
    const std::string value = base64_decode(object["data"]["value"].get<std::string>()).value();
    secret.before = secret.metadata.is_null() ? value : secret.value;
    secret.value = value;
    secret.written = clock_.now();
    if (accident(0.4)) {
      const std::uint64_t within = chance(0.5) ? 10'000 : 150'000;
      namespaces.at(ns).crash_at =
          clock_.mono() + Duration(static_cast<std::int64_t>(schedule_.rng().below(within)));
    }
    secret.metadata = object["metadata"];
    secret.metadata["uid"] = "uid-" + name;
    secret.metadata["resourceVersion"] = std::to_string(++revision_);
  }
  return reply(200, {{"kind", "PartialObjectMetadata"},
                     {"apiVersion", "meta.k8s.io/v1"},
                     {"metadata", secrets.at(ns + "/" + name).metadata}});
}

http::Response SimKube::answer_workloads(const http::Request& request, const std::string& kind,
                                         const std::string& ns, const std::string& name) {
  json items = json::array();
  for (Workload& workload : workloads) {
    if (workload.ns != ns || workload.kind != kind) continue;
    if (name.empty()) items.push_back(render(workload));
    if (workload.name != name) continue;
    if (request.method == "GET") return reply(200, render(workload));
    const json object = json::parse(request.body);
    if (object["metadata"].value("resourceVersion", std::string()) !=
        render(workload)["metadata"]["resourceVersion"])
      return refusal(409, "Conflict", "the object has been modified");
    // An apply that owns nothing but annotations of ours; those of others stay.
    json annotations = workload.annotations;
    annotations.update(object["spec"]["template"]["metadata"]["annotations"]);
    restart(workload, annotations);
    return reply(200, render(workload));
  }
  if (!name.empty()) return refusal(404, "NotFound", "no " + kind + " " + name);
  return reply(200, list_of(kind + "List", std::move(items)));
}

http::Response SimKube::list_pods(const std::string& ns) const {
  json items = json::array();
  for (const Pod& pod : pods) {
    if (pod.ns == ns) items.push_back(render(pod));
  }
  return reply(200, list_of("PodList", std::move(items)));
}

json SimKube::spec(const std::string& secret, Way way) {
  json container{{"name", "app"}, {"image", "app"}};
  json spec;
  if (way == Way::Env) {
    container["env"] = {{{"name", "TOKEN"},
                         {"valueFrom", {{"secretKeyRef", {{"name", secret}, {"key", "value"}}}}}}};
  } else {
    container["volumeMounts"] = {{{"name", "token"}, {"mountPath", "/token"}}};
    if (way == Way::SubPath) container["volumeMounts"][0]["subPath"] = "value";
    spec["volumes"] = {{{"name", "token"}, {"secret", {{"secretName", secret}}}}};
  }
  spec["containers"] = {container};
  return spec;
}

json SimKube::render(const Workload& workload) const {
  int updated = 0, available = 0, running = 0;
  for (const Pod& pod : pods) {
    if (pod.ns != workload.ns || pod.owner != workload.name || pod.going()) continue;
    ++running;
    if (pod.ready) ++available;
    if (pod.revision == workload.revision && !workload.changed) ++updated;
  }
  const std::string version = std::to_string(workload.generation) + "-" +
                              std::to_string(workload.observed) + "-" + std::to_string(running) +
                              std::to_string(available);
  json spec_of{{"replicas", workload.replicas},
               {"paused", workload.paused},
               {"template",
                {{"metadata", {{"annotations", workload.annotations}}},
                 {"spec", spec(workload.secret, workload.way)}}}};
  if (workload.on_delete) spec_of["updateStrategy"] = {{"type", "OnDelete"}};
  return {{"kind", workload.kind},
          {"apiVersion", "apps/v1"},
          {"metadata",
           {{"name", workload.name},
            {"namespace", workload.ns},
            {"uid", "uid-" + workload.name},
            {"resourceVersion", version},
            {"creationTimestamp", "2001-01-01T00:00:00Z"},
            {"generation", workload.generation}}},
          {"spec", spec_of},
          {"status",
           {{"observedGeneration", workload.observed},
            {"replicas", running},
            {"updatedReplicas", updated},
            {"readyReplicas", available},
            {"availableReplicas", available}}}};
}

json SimKube::render(const Pod& pod) const {
  const auto seconds = [](WallTime time) {
    return format_rfc3339(std::chrono::floor<std::chrono::seconds>(time));
  };
  json metadata{{"name", pod.name},
                {"namespace", pod.ns},
                {"uid", "uid-" + pod.name},
                {"creationTimestamp", seconds(pod.created)}};
  if (pod.going()) metadata["deletionTimestamp"] = seconds(clock_.now());
  if (!pod.owner.empty()) {
    const bool job = pod.owner == "job";
    metadata["ownerReferences"] = {{{"apiVersion", job ? "batch/v1" : "apps/v1"},
                                    {"kind", job ? "Job" : "ReplicaSet"},
                                    {"name", pod.owner},
                                    {"uid", "uid-" + pod.owner},
                                    {"controller", true}}};
  }
  json state{{"running", {{"startedAt", seconds(pod.started)}}}};
  if (pod.done) state = {{"terminated", {{"exitCode", 0}, {"startedAt", seconds(pod.started)}}}};
  json container{{"name", "app"}, {"ready", pod.ready && !pod.done}, {"state", state}};
  return {{"kind", "Pod"},
          {"apiVersion", "v1"},
          {"metadata", metadata},
          {"spec", spec(pod.secret, pod.way)},
          {"status",
           {{"phase", pod.done ? "Succeeded" : "Running"},
            {"startTime", seconds(pod.created)},
            {"containerStatuses", {container}}}}};
}

}  // namespace keyturn::simulation
