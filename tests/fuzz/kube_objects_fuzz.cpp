// Secrets, pods and workloads as an API server might send them: anything may be missing or of
// another type, nothing throws, and what is said of one object does not contradict itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "controller/rotation/managed_secret.h"
#include "controller/rotation/workload_refs.h"
#include "controller/rotation/workload_state.h"

namespace {

using namespace keyturn::rotation;
using nlohmann::json;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_pod(const json& spec) {
  for (const auto& use : secret_uses(spec)) {
    require(!use.secret.empty());
    require(refers_to(spec, use.secret));
    require(to_string(use.way) != "?");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const json object =
      json::parse(std::string_view(reinterpret_cast<const char*>(data), size), nullptr, false);
  if (object.is_discarded()) return 0;
  if (const auto secret = decode_managed_secret(object)) {
    require(!secret->name.empty() && same_for_us(*secret, *secret));
    if (secret->intact) require(secret->labelled);
  }
  check_pod(object);
  if (object.is_object() && object.contains("spec")) check_pod(object["spec"]);
  for (const std::string_view kind : {"Deployment", "StatefulSet", "DaemonSet"}) {
    const WorkloadState state = workload_state(kind, object);
    require(!state.detail.empty());
    if (state.phase == WorkloadPhase::Available) require(state.ready >= state.wanted);
  }
  return 0;
}
