// List and watch of one collection: the recovery tree of client-go's reflector as a state machine
// that one thread steps. See reflector.cpp for the states.
//
// What the sink sees: objects of a list as they arrive (each at least as new as what was put
// before), keep_only() after its last page, then events in order. A list that fails half way is
// taken up again, so keep_only() may be long in coming; nothing is removed before it.
//
// Thread rule: start()/stop() from one thread, the rest from any.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/resource.h"
#include "lib/base/clock.h"
#include "lib/base/rng.h"

namespace keyturn::kube {

// Where a Reflector puts what it learns. Called on its thread.
class ObjectSink {
 public:
  virtual ~ObjectSink() = default;
  virtual void put(const std::string& key, const std::string& resource_version,
                   const nlohmann::json& object) = 0;
  virtual void remove(const std::string& key) = 0;
  // After a complete list: everything not named is gone.
  virtual void keep_only(const std::vector<std::string>& sorted_keys) = 0;
};

// Why a watch ended.
inline constexpr std::array<std::string_view, 9> kWatchEndReasons = {
    "eof",           // the server closed it: normal, every 5 to 10 minutes
    "deadline",      // it went silent past its end: a dead connection
    "short",         // closed within a second without an event
    "expired",       // 410: its resourceVersion is no longer kept
    "throttled",     // 429
    "unreachable",   // no connection to be had
    "server_error",  // 5xx, reset
    "malformed",     // a line that is no event
    "refused",       // 401, 403, 404 and other answers that a new list must clear up
};

// keyturn_watch_restarts_total{resource,reason}, reason from the list above.
class WatchObserver {
 public:
  virtual ~WatchObserver() = default;
  virtual void on_restart(std::string_view resource, std::string_view reason) = 0;
};

struct ReflectorOptions {
  Client* client = nullptr;
  ResourceType type;
  std::string ns;  // "" = all namespaces
  std::string label_selector;
  std::string field_selector;
  bool metadata_only = false;
  bool list_latest =
      false;  // first list at "" instead of "0" (RotationPolicies: never start from the past)
  int page_size = 500;
  Clock* clock = nullptr;
  Rng* rng = nullptr;
  WatchObserver* observer = nullptr;
};

class Reflector {
 public:
  Reflector(ReflectorOptions options, ObjectSink& sink);
  ~Reflector();

  // Invalid when client, clock or rng is missing.
  Status start();
  // Aborts the request under way; blocks until the thread ended.
  void stop();
  bool synced() const { return synced_.load(std::memory_order_acquire); }
  // Runs until stopped, on the caller's thread (tests).
  void run(const std::stop_token& stop);

 private:
  class Machine;
  const ReflectorOptions options_;
  ObjectSink& sink_;
  std::atomic<bool> synced_{false};
  std::jthread thread_;
};

}  // namespace keyturn::kube
