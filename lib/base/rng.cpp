#include "lib/base/rng.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace keyturn {

namespace {

std::uint64_t next_u64(Rng& rng) {
  std::uint64_t value = 0;
  rng.fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

}  // namespace

std::uint64_t Rng::below(std::uint64_t bound) {
  if (bound <= 1) return 0;
  // 2^64 mod bound values at the low end would make the first residues likelier: draw again.
  const std::uint64_t rejected = (0 - bound) % bound;
  std::uint64_t value = next_u64(*this);
  while (value < rejected) value = next_u64(*this);
  return value % bound;
}

double Rng::unit() {
  constexpr double kStep = 1.0 / 9007199254740992.0;  // 2^-53: every result is exact
  return static_cast<double>(next_u64(*this) >> 11) * kStep;
}

void SystemRng::fill(std::span<std::byte> out) {
  constexpr std::size_t kMaxAtOnce = 1u << 20;  // RAND_bytes takes an int
  while (!out.empty()) {
    const std::size_t count = std::min(out.size(), kMaxAtOnce);
    if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1) {
      std::fputs("keyturn: no randomness from the kernel; refusing to go on\n", stderr);
      std::abort();
    }
    out = out.subspan(count);
  }
}

void SeededRng::fill(std::span<std::byte> out) {
  constexpr std::uint64_t kGamma = 0x9e3779b97f4a7c15;
  while (!out.empty()) {
    std::uint64_t z = state_.fetch_add(kGamma, std::memory_order_relaxed) + kGamma;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    const std::size_t count = std::min(out.size(), sizeof(z));
    std::memcpy(out.data(), &z, count);
    out = out.subspan(count);
  }
}

}  // namespace keyturn
