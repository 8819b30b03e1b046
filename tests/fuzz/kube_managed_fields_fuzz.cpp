// managedFields of any shape: sorted keys without doubles, never a crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "controller/kube/field_ownership.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto fields = nlohmann::json::parse(
      std::string_view(reinterpret_cast<const char*>(data), size), nullptr, false);
  const auto owned = keyturn::kube::field_ownership(fields);
  if (owned != keyturn::kube::field_ownership(fields)) std::abort();
  if (!fields.is_array() && owned != keyturn::kube::FieldOwnership{}) std::abort();
  return 0;
}
