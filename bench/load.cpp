// A plain loop of server-side applies over a few keep-alive connections: makes the policies of a
// bench, and is the raw loop that the operator's first sync is held against (a Secret and a
// policy's status for each object, which is what the operator writes).
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "controller/kube/client.h"
#include "lib/base/text.h"
#include "lib/http/curl_transport.h"

namespace {

using keyturn::kube::Client;
using nlohmann::json;

struct Options {
  std::string kubeconfig, ns = "bench", what = "policies", strategy = "syncOnly", refresh = "1h";
  int count = 1000, connections = 8;
};

std::string numbered(const char* prefix, int i) {
  char name[32];
  std::snprintf(name, sizeof name, "%s%05d", prefix, i);
  return name;
}

json policy(const Options& o, int i) {
  const std::string name = numbered("p", i);
  return {{"apiVersion", "keyturn.dev/v1alpha1"},
          {"kind", "RotationPolicy"},
          {"metadata", {{"name", name}, {"namespace", o.ns}}},
          {"spec",
           {{"secretId", o.ns + "/" + name},
            {"strategy", {{o.strategy, json::object()}}},
            {"refreshInterval", o.refresh},
            {"targets", {{{"name", name}}}}}}};
}

json secret(const Options& o, int i) {
  return {{"apiVersion", "v1"},
          {"kind", "Secret"},
          {"metadata",
           {{"name", numbered("raw", i)},
            {"namespace", o.ns},
            {"annotations",
             {{"a", std::string(80, 'x')}, {"b", std::string(36, 'y')}, {"c", "bench/p"}}}}},
          {"type", "Opaque"},
          {"data",
           {{"password", keyturn::base64(std::string_view("0123456789abcdef0123456789abcdef"))}}}};
}

json status(const Options& o, int i) {
  json conditions = json::array();
  for (const char* type : {"Ready", "RolledOut", "Synced"}) {
    conditions.push_back({{"type", type},
                          {"status", "True"},
                          {"reason", "Raw"},
                          {"message", "written by the raw loop"},
                          {"observedGeneration", 1},
                          {"lastTransitionTime", "2026-11-22T00:00:00Z"}});
  }
  return {{"apiVersion", "keyturn.dev/v1alpha1"},
          {"kind", "RotationPolicy"},
          {"metadata", {{"name", numbered("p", i)}, {"namespace", o.ns}}},
          {"status",
           {{"observedGeneration", 1},
            {"currentVersionId", std::string(36, 'v')},
            {"conditions", std::move(conditions)}}}};
}

// One object's writes; false when one failed.
bool write_one(Client& client, const Options& o, int i) {
  using namespace keyturn::kube;
  // Created, not applied: what this client applies is the operator's own, to be given up with its
  // next apply.
  if (o.what == "policies") return client.create(kRotationPolicies, o.ns, policy(o, i)).ok();
  const bool written =
      client.apply(kSecrets, o.ns, secret(o, i), {.metadata_only_reply = true}).ok();
  if (!written || o.what == "secrets") return written;
  return client
      .apply(kRotationPolicies, o.ns, status(o, i),
             {.subresource = "status", .metadata_only_reply = true})
      .ok();
}

int run(const Options& o) {
  keyturn::SystemClock clock;
  auto connection = keyturn::kube::load_config(
      {.kubeconfig = o.kubeconfig,
       .env = [](const std::string&) { return std::optional<std::string>(); },
       .clock = &clock});
  if (!connection) {
    std::fprintf(stderr, "bench_load: %s\n", connection.error().message.c_str());
    return 1;
  }
  std::shared_ptr<keyturn::http::Transport> transport =
      keyturn::http::make_curl_transport({.max_idle_handles = 64, .user_agent = "bench"});
  Client client(transport, *connection, clock);
  std::atomic<int> next{0}, failed{0};
  const auto started = std::chrono::steady_clock::now();
  std::vector<std::jthread> threads;
  for (int t = 0; t < o.connections; ++t) {
    threads.emplace_back([&] {
      for (int i = next++; i < o.count; i = next++) failed += !write_one(client, o, i);
    });
  }
  threads.clear();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  const int writes = o.what == "raw" ? 2 * o.count : o.count;
  std::printf("{\"writes\": %d, \"failed\": %d, \"seconds\": %.3f, \"rate\": %.1f}\n", writes,
              failed.load(), took.count(), writes / took.count());
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("Applies many objects over a few connections and says how fast");
  app.add_option("--kubeconfig", o.kubeconfig)->required();
  app.add_option("--namespace", o.ns);
  app.add_option("--what", o.what, "policies; secrets; or raw: a Secret and a status for each")
      ->check(CLI::IsMember({"policies", "secrets", "raw"}));
  app.add_option("--strategy", o.strategy);
  app.add_option("--refresh", o.refresh);
  app.add_option("--count", o.count);
  app.add_option("--connections", o.connections);
  CLI11_PARSE(app, argc, argv);
  return run(o);
}
