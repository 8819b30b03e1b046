// Process set-up, then the command line.
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "controller/cli/cli.h"
#include "controller/runtime/lifecycle.h"

int main(int argc, char** argv) {
  // Secrets in memory never reach a core dump, nor another process of the same user.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0);
  // One arena for a few threads: a fleet's worth of small objects must not be spread over eight.
  mallopt(M_ARENA_MAX, 2);
  keyturn::runtime::Lifecycle::block_signals();
  return keyturn::cli::run(argc, argv);
}
