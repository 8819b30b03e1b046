// The command line: `keyturn COMMAND …`, or `kubectl keyturn …` through the link kubectl-keyturn.
//
// Exit status: 0 done, 1 failed, 2 usage. Results go to stdout; errors to stderr, saying what
// failed, on which object, and what to do next. Thread rule: run() once, from main.
#pragma once

#include <string>

namespace keyturn::cli {

enum ExitStatus : int { kDone = 0, kFailed = 1, kUsage = 2 };

int run(int argc, char** argv);

}  // namespace keyturn::cli
