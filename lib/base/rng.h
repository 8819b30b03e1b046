// Random bytes, injected. System randomness for secrets, a seeded generator for tests and jitter.
//
// Thread rule: fill() may be called from any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace keyturn {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(std::span<std::byte> out) = 0;

  // Uniform in [0, bound), without modulo bias (rejection sampling). bound >= 1.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1).
  double unit();
};

// OpenSSL's CSPRNG (RAND_bytes). Aborts the process when the kernel has no entropy: going on with
// predictable credentials would be worse.
class SystemRng final : public Rng {
 public:
  void fill(std::span<std::byte> out) override;
};

// Deterministic (SplitMix64), for tests, simulation and benches. Never for secrets.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::byte> out) override;

 private:
  std::atomic<std::uint64_t> state_;
};

}  // namespace keyturn
