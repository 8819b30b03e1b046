// One watch: from a resourceVersion on, or the present state first (WatchList), until its time is
// over. Thread rule: one thread, its own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "tests/sandbox/faults.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/kube_request.h"
#include "tests/sandbox/object_store.h"
#include "tests/sandbox/selectors.h"

namespace keyturn::sandbox {

class KubeWatch {
 public:
  // Throws ApiError for bad parameters.
  KubeWatch(ObjectStore& store, const KubeRequest& kube, const HttpRequest& request,
            const Clock& clock, Duration bookmark_interval);

  // Streams until the end; returns the HTTP status sent.
  int run(HttpExchange& exchange, const std::optional<Fault>& fault);

 private:
  bool send_initial(HttpExchange& exchange);
  bool send_events(HttpExchange& exchange);
  bool send(HttpExchange& exchange, std::string_view type, const std::string& object);
  bool send_error(HttpExchange& exchange, const std::string& message);
  std::string bookmark(bool initial_end) const;
  bool matches(const Object& object) const;
  std::string shown(const Object& object) const;

  ObjectStore& store_;
  const KubeRequest& kube_;
  const Clock& clock_;
  const Duration bookmark_interval_;
  const HttpRequest& request_;
  AnswerForm form_;
  LabelSelector labels_;
  FieldSelector fields_;
  bool bookmarks_ = false;
  bool initial_events_ = false;
  bool start_with_state_ = false;
  std::uint64_t cursor_ = 0;
  Duration length_{0};
  std::optional<Fault> fault_;
  std::uint64_t sent_ = 0;
  bool ended_ = false;  // the stream was ended on purpose: no terminating chunk is owed
};

}  // namespace keyturn::sandbox
