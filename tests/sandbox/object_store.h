// What etcd and the watch cache are to an API server: immutable objects under keys, one revision
// counter, and for each resource a window of history from which watches are fed, pages of an old
// list are rebuilt, and which can be compacted.
//
// Writes are optimistic: the caller says which object it changed; a commit that comes second is
// refused and the caller looks again (GuaranteedUpdate). Locks are held only to swap pointers;
// serializing happens outside, once per object.
//
// Thread rule: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

class Object {
 public:
  Object(std::string ns, std::string name, Json doc);

  const std::string ns;
  const std::string name;
  const std::string uid;
  std::uint64_t revision() const { return revision_; }
  const Json& doc() const { return doc_; }
  // Serialized, cached: the whole, and its PartialObjectMetadata.
  const std::string& text() const;
  const std::string& metadata_text() const;

 private:
  friend class ObjectStore;
  Json doc_;  // const once committed
  std::uint64_t revision_ = 0;
  mutable std::once_flag text_once_, metadata_once_;
  mutable std::string text_, metadata_text_;
};
using ObjectPtr = std::shared_ptr<const Object>;

enum class EventType { Added, Modified, Deleted };

struct StoreEvent {
  std::uint64_t revision = 0;
  EventType type = EventType::Added;
  ObjectPtr object;    // for Deleted: the last state, carrying the revision of the deletion
  ObjectPtr previous;  // null for Added
};

// Wakes a watching thread through a descriptor it can poll together with its socket.
class WatchSignal {
 public:
  WatchSignal();
  ~WatchSignal();
  WatchSignal(const WatchSignal&) = delete;
  WatchSignal& operator=(const WatchSignal&) = delete;
  int fd() const { return fd_; }
  void raise();
  void clear();

 private:
  int fd_;
  std::atomic<bool> raised_{false};
};

class ObjectStore {
 public:
  explicit ObjectStore(std::size_t history_limit = 20'000);

  // Resources are named "plural.group" ("secrets", "deployments.apps"); versions share storage.
  ObjectPtr get(const std::string& resource, const std::string& ns, const std::string& name) const;

  // Puts `doc` in the place of `expected` (null: nothing may be there). Null result: somebody else
  // was first. metadata.resourceVersion is set here.
  ObjectPtr put(const std::string& resource, const ObjectPtr& expected, const std::string& ns,
                const std::string& name, Json doc);
  // Removes exactly `expected`. Returns the final state, or null when somebody else was first.
  ObjectPtr remove(const std::string& resource, const ObjectPtr& expected);

  struct Page {
    std::vector<ObjectPtr> objects;
    std::uint64_t revision = 0;
    bool more = false;
    std::string last_key;
    std::size_t remaining = 0;
  };
  // Objects of one namespace ("" = all) after `after_key`, as they are now or were at `revision`.
  // nullopt: that revision has been compacted. limit 0: all.
  std::optional<Page> list(const std::string& resource, const std::string& ns,
                           const std::string& after_key, std::size_t limit,
                           std::optional<std::uint64_t> revision) const;

  // Events after `revision`, at most `max`. nullopt: compacted.
  std::optional<std::vector<StoreEvent>> events_after(const std::string& resource,
                                                      std::uint64_t revision,
                                                      std::size_t max) const;
  void watch(const std::string& resource, const std::shared_ptr<WatchSignal>& signal);
  void unwatch(const std::string& resource, const std::shared_ptr<WatchSignal>& signal);
  // Raises every watch's signal, so that each looks at whatever else it depends on.
  void wake_all();

  std::uint64_t revision() const;
  // Forgets all history: older watches and continue tokens expire.
  void compact();

  bool alive(const std::string& uid, std::string* ns = nullptr) const;
  struct Ref {
    std::string resource, ns, name;
  };
  std::vector<Ref> dependents(const std::string& owner_uid) const;
  std::vector<Ref> in_namespace(const std::string& ns) const;
  std::size_t count(const std::string& resource) const;

  // Called after every commit, outside the lock, in the committing thread.
  void on_commit(std::function<void(const std::string& resource, const StoreEvent&)> hook);

 private:
  struct Table {
    std::map<std::string, ObjectPtr> objects;  // key: ns/name, as etcd orders them
    std::deque<StoreEvent> history;
    std::uint64_t compacted = 0;
    std::set<std::shared_ptr<WatchSignal>> signals;
  };
  static std::string key_of(const std::string& ns, const std::string& name);
  void record(Table& table, StoreEvent event);
  void index(const std::string& resource, const ObjectPtr& object, bool add);

  const std::size_t history_limit_;
  mutable std::shared_mutex mutex_;
  std::uint64_t revision_ = 1;
  std::uint64_t compacted_ = 0;  // for every resource
  std::map<std::string, Table> tables_;
  std::unordered_map<std::string, std::string> uids_;  // of living objects → their namespace
  std::unordered_map<std::string, std::map<std::string, Ref>>
      owned_;  // owner uid → key → dependent
  std::function<void(const std::string&, const StoreEvent&)> hook_;
};

}  // namespace keyturn::sandbox
