// The operator's config, re-read when the file changes: a ConfigMap mount replaces it while we run.
//
// A file that became wrong is reported and the last good one stays in force. What cannot change at
// run time keeps its old value, with a warning. Thread rule: get() from any thread; start()/stop()
// from one; on_change runs on this object's thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "controller/rotation/operator_config.h"
#include "lib/base/clock.h"

namespace keyturn::rotation {

class ConfigFile {
 public:
  ConfigFile(std::string path, OperatorConfig first, Clock& clock,
             std::function<void(const OperatorConfig&)> on_change);
  ~ConfigFile();

  std::shared_ptr<const OperatorConfig> get() const;
  void start();
  void stop();
  // Looks at the file now (tests; the thread calls it every few seconds).
  void poll();

 private:
  const std::string path_;
  Clock& clock_;
  const std::function<void(const OperatorConfig&)> on_change_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::shared_ptr<const OperatorConfig> current_;
  std::optional<std::string> text_;  // what the last poll found
  std::thread thread_;
};

}  // namespace keyturn::rotation
