// The shared config and credentials files. An error never quotes the file: it may hold keys.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/aws/profile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = keyturn::aws::parse_profile_file({reinterpret_cast<const char*>(data), size});
  if (!file && !file.error().message.starts_with("line ")) std::abort();
  if (file) (void)file->section("default");
  return 0;
}
