// A set of 64-bit hashes, eight to sixteen bytes each. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace keyturn::simulation::model {

// Hashes of worlds, 64 bits each: two worlds with one hash would be taken for one, at ten million
// of them once in some hundred thousand runs.
class HashSet {
 public:
  bool contains(std::uint64_t hash) const {
    const std::size_t mask = table_.size() - 1;
    for (std::size_t at = hash & mask; table_[at] != 0; at = (at + 1) & mask) {
      if (table_[at] == hash) return true;
    }
    return false;
  }
  void insert(std::uint64_t hash) {
    if (hash == 0 || contains(hash)) return;
    if (++used_ * 2 > table_.size()) {
      const auto old = std::exchange(table_, std::vector<std::uint64_t>(table_.size() * 2));
      used_ = 1;
      for (const std::uint64_t each : old) insert(each);
    }
    const std::size_t mask = table_.size() - 1;
    std::size_t at = hash & mask;
    while (table_[at] != 0) at = (at + 1) & mask;
    table_[at] = hash;
  }

 private:
  std::vector<std::uint64_t> table_ = std::vector<std::uint64_t>(1 << 16);  // 0: free
  std::size_t used_ = 0;
};

}  // namespace keyturn::simulation::model
