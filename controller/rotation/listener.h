// The one listener: /metrics, /healthz (fails when the work loop has stalled, not only when the
// process died), /readyz (caches synced). Thread rule: start() and stop() from one thread; the
// callbacks run on the listener's own threads.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/base/result.h"

namespace keyturn::rotation {

class Listener {
 public:
  struct Pages {
    std::function<std::string()> metrics;
    std::function<Status()> healthy;  // the error's message is shown
    std::function<Status()> ready;
  };
  // ":8080" (every address, of IPv6 and IPv4), "127.0.0.1:0", "[::1]:8080"
  Listener(std::string address, Pages pages);
  ~Listener();
  Status start();  // Invalid "ListenFailed" with the address and why
  void stop();
  int port() const;  // the bound one

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyturn::rotation
