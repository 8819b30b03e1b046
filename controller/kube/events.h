// events.k8s.io/v1 recorder (client-go tools/events): the same (type, action, reason, regarding)
// again within six minutes starts a series on the first event instead of a new object; later ones
// are only counted, the count is written every 30 minutes and at the series' end. The note is not
// part of that key: a series keeps the note of its first event (the API forbids changing it). A
// bounded queue (1000), oldest news dropped when full; never blocks the caller; one thread. Notes
// never hold secret values (I5) and are cut at 1 KiB (the API's limit). Thread rule: emit() from
// any thread.
#pragma once

#include <memory>
#include <string>

#include "controller/kube/client.h"
#include "lib/base/clock.h"

namespace keyturn::kube {

struct ObjectReference {
  std::string api_version, kind, ns, name, uid, resource_version;
};

struct Event {
  enum class Type { Normal, Warning } type = Type::Normal;
  std::string reason;  // CamelCase: "Rotated", "SyncFailed"
  std::string action;  // what was tried: "Rotate", "Sync"
  std::string note;
  ObjectReference regarding;
};

class EventRecorder {
 public:
  virtual ~EventRecorder() = default;
  virtual void emit(Event event) = 0;
};

class ApiEventRecorder final : public EventRecorder {
 public:
  ApiEventRecorder(Client& client, Clock& clock, std::string controller, std::string instance);
  ~ApiEventRecorder() override;
  void emit(Event event) override;
  void start();
  void stop();  // writes what is queued, for at most 2 s

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyturn::kube
