// What moves by itself: controllers, kubelets, people who tidy up. The API is in sim_kube_api.cpp.
#include "tests/simulation/sim_kube.h"

#include <algorithm>

namespace keyturn::simulation {

void SimKube::add_pod(const std::string& ns, const std::string& owner, const std::string& secret,
                      Way way) {
  Pod pod{.ns = ns,
          .name = (owner.empty() ? "bare" : owner) + "-" + std::to_string(++names_),
          .owner = owner,
          .secret = secret,
          .way = way,
          .created = clock_.now()};
  start(pod, kPropagation);
  pods.push_back(std::move(pod));
}

std::string SimKube::read(const Pod& pod, Duration behind) {
  const auto found = secrets.find(pod.ns + "/" + pod.secret);
  if (found == secrets.end()) return {};
  // A pod that was made with the new value keeps it in its volume.
  const bool young = pod.created - found->second.written >= kPropagation;
  const bool late = !young && pod.started - found->second.written < behind && chance(0.5);
  return late ? found->second.before : found->second.value;
}

void SimKube::start(Pod& pod, Duration behind) {
  pod.started = clock_.now();
  pod.held = read(pod, behind);
  pod.counts = stands_for(pod.ns);
}

void SimKube::restart(Deployment& deployment, Json annotations) {
  if (annotations == deployment.annotations) return;
  deployment.annotations = std::move(annotations);
  ++deployment.generation;
}

void SimKube::remove_namespace(const std::string& ns) {
  namespaces.at(ns).going = true;
  std::erase_if(deployments, [&](const Deployment& d) { return d.ns == ns; });
  for (Pod& pod : pods) {
    if (pod.ns == ns && !pod.going()) pod.gone_at = clock_.mono() + Duration(20'000);
  }
}

// A mounted file follows its Secret, at the latest when it must.
void SimKube::refresh(Pod& pod) {
  if (pod.way != Way::Volume || !namespaces.at(pod.ns).rereads) return;
  const auto found = secrets.find(pod.ns + "/" + pod.secret);
  if (found == secrets.end() || found->second.value == pod.held) return;
  const Duration late = clock_.now() - found->second.written;
  if (late >= kRefresh || chance(0.05)) pod.held = found->second.value;
}

// One step of a rolling update: a new pod before an old one goes.
void SimKube::control(Deployment& deployment, bool calm) {
  if (deployment.observed != deployment.generation) {
    if (!calm && !chance(0.3)) return;
    deployment.observed = deployment.generation;
    ++deployment.revision;
    deployment.stuck = !calm && chance(0.1);
  }
  if (calm) deployment.stuck = false;
  const auto mine = [&](const Pod& pod) {
    return pod.ns == deployment.ns && pod.owner == deployment.name && !pod.going();
  };
  int fresh = 0;
  for (Pod& pod : pods) {
    if (!mine(pod) || pod.revision != deployment.revision) continue;
    ++fresh;
    if (!pod.ready && !deployment.stuck && (calm || chance(0.5))) pod.ready = true;
  }
  const auto ready = std::count_if(pods.begin(), pods.end(), [&](const Pod& pod) {
    return mine(pod) && pod.revision == deployment.revision && pod.ready;
  });
  if (fresh < deployment.replicas && (calm || chance(0.3))) {
    add_pod(deployment.ns, deployment.name, deployment.secret, deployment.way);
    pods.back().revision = deployment.revision;
    pods.back().ready = false;
  }
  long surplus = std::count_if(pods.begin(), pods.end(), mine) - deployment.replicas;
  for (Pod& pod : pods) {
    const bool old = mine(pod) && pod.revision != deployment.revision;
    if (!old || surplus <= 0 || ready == 0 || (!calm && !chance(0.3))) continue;
    pod.gone_at =
        clock_.mono() + Duration(static_cast<std::int64_t>(schedule_.rng().below(30'000)));
    --surplus;
  }
}

void SimKube::act(bool calm) {
  const MonoTime now = clock_.mono();
  std::erase_if(pods, [&](const Pod& pod) { return pod.gone_at <= now; });
  for (Deployment& deployment : deployments) control(deployment, calm);
  for (Pod& pod : pods) {
    refresh(pod);
    if (pod.going()) continue;
    const bool node_restarts = namespaces.at(pod.ns).crash_at <= now;
    if (pod.owner == "job" && !pod.done && chance(calm ? 0.7 : 0.005)) {
      pod.done = true;
    } else if (pod.owner.empty() && calm && chance(0.5)) {
      pod.gone_at = now + Duration(5'000);  // a person deletes what nobody restarts
    } else if (!pod.done && (node_restarts || chance(0.002))) {
      start(pod, pod.way == Way::Env ? kPropagation : kRefresh);  // its program crashed
    }
  }
  for (auto& [ns, space] : namespaces) {
    if (space.crash_at <= now) space.crash_at = MonoTime::max();
  }
  if (!calm) return;
  // Whoever is named as holding an old value for long is restarted by a person.
  for (Deployment& deployment : deployments) {
    const WallTime since = told_since(deployment.ns);
    const bool old = clock_.now() - since > Duration(1'200'000) &&
                     std::any_of(pods.begin(), pods.end(), [&](const Pod& pod) {
                       return pod.ns == deployment.ns && pod.owner == deployment.name &&
                              !pod.going() && pod.revision == deployment.revision &&
                              pod.created < since + 2 * kPropagation;
                     });
    if (!old || deployment.observed != deployment.generation) continue;
    Json annotations = deployment.annotations;
    annotations["kubectl.kubernetes.io/restartedAt"] = std::to_string(++names_);
    restart(deployment, annotations);
  }
}

}  // namespace keyturn::simulation
