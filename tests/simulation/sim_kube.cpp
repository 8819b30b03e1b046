// What moves by itself: controllers, kubelets, people who tidy up. The API is in sim_kube_api.cpp.
#include "tests/simulation/sim_kube.h"

#include <algorithm>
#include <utility>

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

void SimKube::restart(Workload& workload, Json annotations) {
  if (annotations == workload.annotations) return;
  workload.annotations = std::move(annotations);
  workload.changed = true;
  ++workload.generation;
}

void SimKube::pause(Workload& workload, bool paused) {
  workload.paused = paused;
  ++workload.generation;
}

void SimKube::remove_namespace(const std::string& ns) {
  namespaces.at(ns).going = true;
  std::erase_if(workloads, [&](const Workload& w) { return w.ns == ns; });
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

void SimKube::control(Workload& workload, bool calm) {
  if (workload.observed != workload.generation) {
    if (!calm && !chance(0.3)) return;
    workload.observed = workload.generation;
  }
  if (calm) workload.stuck = false;
  if (workload.paused) return;
  if (workload.changed) {
    workload.changed = false;
    ++workload.revision;
    workload.stuck = !calm && accident(0.1);
    const auto secret = secrets.find(workload.ns + "/" + workload.secret);
    if (!calm && secret != secrets.end() &&
        (accident(0.25) || std::exchange(workload.fails_once, false))) {
      schedule_.note("a workload that never becomes available with the new value");
      workload.cannot_use = secret->second.value;
    }
  }
  replace_pods(workload, calm);
}

// One step of a rolling update: a new pod before an old one goes. Or, where pods are replaced only
// when somebody deletes them, another one for each that is gone.
void SimKube::replace_pods(Workload& workload, bool calm) {
  int fresh = 0;
  for (Pod& pod : pods) {
    if (!is_of(pod, workload) || pod.revision != workload.revision) continue;
    ++fresh;
    const bool useless = !workload.cannot_use.empty() && pod.held == workload.cannot_use;
    if (useless || workload.stuck)
      pod.ready = pod.ready && !useless;
    else if (!pod.ready && (calm || chance(0.5)))
      pod.ready = true;
  }
  const auto count = [&](const auto& which) {
    return std::count_if(pods.begin(), pods.end(),
                         [&](const Pod& pod) { return is_of(pod, workload) && which(pod); });
  };
  const auto all = count([](const Pod&) { return true; });
  const auto ready =
      count([&](const Pod& pod) { return pod.revision == workload.revision && pod.ready; });
  if ((workload.on_delete ? all : fresh) < workload.replicas && (calm || chance(0.3))) {
    add_pod(workload.ns, workload.name, workload.secret, workload.way);
    pods.back().revision = workload.revision;
    pods.back().ready = false;
  }
  long surplus = all - workload.replicas;
  for (Pod& pod : pods) {
    const bool old = is_of(pod, workload) && pod.revision != workload.revision;
    if (!old || surplus <= 0 || ready == 0 || (!calm && !chance(0.3))) continue;
    pod.gone_at =
        clock_.mono() + Duration(static_cast<std::int64_t>(schedule_.rng().below(30'000)));
    --surplus;
  }
}

// Whoever is named as holding an old value for long is restarted by a person.
void SimKube::tidy_up(Workload& workload) {
  const WallTime since = told_since(workload.ns);
  const Duration for_long = clock_.now() - since;
  if (for_long <= Duration(1'200'000)) return;
  if (workload.paused) return pause(workload, false);
  if (for_long > Duration(7'200'000)) workload.cannot_use.clear();  // mended at last
  const auto old = [&](const Pod& pod) {
    return is_of(pod, workload) && (pod.revision == workload.revision || workload.on_delete) &&
           pod.created < since + 2 * kPropagation;
  };
  if (workload.on_delete) {
    const auto one = std::find_if(pods.begin(), pods.end(), old);
    if (one != pods.end()) one->gone_at = clock_.mono() + Duration(5'000);
    return;
  }
  if (workload.observed != workload.generation || std::none_of(pods.begin(), pods.end(), old))
    return;
  Json annotations = workload.annotations;
  annotations["kubectl.kubernetes.io/restartedAt"] = std::to_string(++names_);
  restart(workload, annotations);
}

void SimKube::act(bool calm) {
  const MonoTime now = clock_.mono();
  std::erase_if(pods, [&](const Pod& pod) { return pod.gone_at <= now; });
  for (Workload& workload : workloads) control(workload, calm);
  for (Pod& pod : pods) {
    refresh(pod);
    if (pod.going()) continue;
    const bool node_restarts = namespaces.at(pod.ns).crash_at <= now;
    if (pod.owner == "job" && !pod.done && (pod.ends_at <= now || chance(calm ? 0.7 : 0.005))) {
      pod.done = true;
    } else if (pod.owner.empty() && calm && chance(0.5)) {
      pod.gone_at = now + Duration(5'000);  // a person deletes what nobody restarts
    } else if (!pod.done && (node_restarts || accident(0.002))) {
      start(pod, pod.way == Way::Env ? kPropagation : kRefresh);  // its program crashed
    }
  }
  for (auto& [ns, space] : namespaces) {
    if (space.crash_at <= now) space.crash_at = MonoTime::max();
  }
  if (!calm) return;
  for (Workload& workload : workloads) tidy_up(workload);
}

}  // namespace keyturn::simulation
