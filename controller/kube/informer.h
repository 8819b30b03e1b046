// A local copy of one collection, kept by list and watch, as decoded values.
//
// The watch itself is an explicit state machine without types (reflector.h); Informer<T> decodes,
// stores and reports changes by key. Handlers may trust only the key: an object may have changed
// twice, or be gone, when they run. Bookmarks, 410 in both forms, expired continue tokens, half
// lines and dead connections are the state machine's business (docs in reflector.h).
//
// Thread rule: start() and stop() from one thread; readers from any; handlers run on the watch
// thread and must not block.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/reflector.h"
#include "controller/kube/resource.h"
#include "lib/base/result.h"

namespace keyturn::kube {

// T has a member `resource_version`.
template <class T>
class Informer final : private ObjectSink {
 public:
  using Ptr = std::shared_ptr<const T>;
  // Compact value of an object; an error is logged once per resourceVersion and the object is kept
  // out of the store (an earlier value leaves it). May throw what nlohmann::json throws: that is an
  // error too.
  using Decode = std::function<Result<T>(const nlohmann::json& object)>;
  // before: null for new, after: null for deleted ones. Also called for what a relist found
  // changed; what it found unchanged (same resourceVersion) costs no call. The store already holds
  // `after`.
  using OnChange = std::function<void(const std::string& key, const Ptr& before, const Ptr& after)>;

  Informer(ReflectorOptions options, Decode decode, OnChange on_change);

  Status start() { return reflector_.start(); }
  void stop() { reflector_.stop(); }
  bool synced() const { return reflector_.synced(); }

  Ptr get(const std::string& key) const;
  std::size_t size() const;
  std::vector<std::string> keys() const;
  // `visit` runs under the store's lock: be quick, and do not ask the informer anything.
  void for_each(const std::function<void(const std::string& key, const Ptr& object)>& visit) const;

 private:
  void put(const std::string& key, const std::string& resource_version,
           const nlohmann::json& object) override;
  void remove(const std::string& key) override;
  void keep_only(const std::vector<std::string>& sorted_keys) override;

  const Decode decode_;
  const OnChange on_change_;
  const std::string resource_;  // for logs
  mutable std::mutex mutex_;    // not a shared one: glibc lets readers starve the writer
  void forget(const std::string& key);

  std::unordered_map<std::string, Ptr> objects_;
  // resourceVersion of objects that could not be decoded; only the watch thread touches it.
  std::unordered_map<std::string, std::string> rejected_;
  Reflector reflector_;
};

}  // namespace keyturn::kube

#include "controller/kube/informer_impl.h"
