// One child process, its standard output read with a deadline. Started by posix_spawn, so that no
// other thread's locks or descriptors are inherited. Thread rule: any thread. Time is real: the
// child lives outside the injected clock.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::kube {

struct Subprocess {
  std::string command;  // looked up in PATH unless it holds a '/'
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  // on top of ours
  Duration timeout{30'000};
  // Shares terminal, standard input and standard error with us. Otherwise the child sees /dev/null
  // and what it writes to standard error goes there too: it may hold secrets.
  bool interactive = false;
};

// What it wrote to standard output (at most 1 MiB). NotFound: no such program; Invalid: not
// executable; Transient "ExecFailed": ended with another status than 0, by a signal, or not in time
// (killed then, with its children).
Result<SecretString> run(const Subprocess& process);

}  // namespace keyturn::kube
