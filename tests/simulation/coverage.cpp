#include "tests/simulation/coverage.h"

#include <cstdio>

namespace keyturn::simulation {

bool print_rows(const std::string& title, const std::vector<int>& rows,
                const Schedule::Coverage& coverage, const std::function<bool(Fault)>& possible) {
  bool complete = true;
  std::printf("\n%-12s row", title.c_str());
  for (std::size_t f = 0; f < kFaults; ++f) std::printf(" %9s", to_string(static_cast<Fault>(f)));
  std::printf("\n");
  for (const int row : rows) {
    std::printf("%15d ", row);
    for (std::size_t f = 0; f < kFaults; ++f) {
      const auto found = coverage.find({row, static_cast<Fault>(f)});
      const int count = found == coverage.end() ? 0 : found->second;
      const bool missing = count == 0 && possible(static_cast<Fault>(f));
      complete = complete && !missing;
      std::printf(" %8d%c", count, missing ? '!' : ' ');
    }
    std::printf("\n");
  }
  return complete;
}

}  // namespace keyturn::simulation
